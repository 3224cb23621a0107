_base_ = [
    '../_base_/models/maskdino_r50_panoptic.py',
    '../_base_/datasets/coco_panoptic_full.py',
    '../_base_/schedules/maskdino_12e.py',
]
model = _base_.query_model
