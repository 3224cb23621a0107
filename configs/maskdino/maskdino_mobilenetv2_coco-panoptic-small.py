_base_ = [
    '../_base_/models/maskdino_mobilenetv2.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/models/maskdino_panoptic.py',
    '../_base_/schedules/schedule_short.py',
]
model = dict(_base_.maskdino_panoptic, **_base_.query_model)
