_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_panoptic_lsj.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_panoptic
