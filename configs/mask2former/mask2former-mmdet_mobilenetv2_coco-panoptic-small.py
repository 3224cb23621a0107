_base_ = [
    '../_base_/models/mask2former_tiny_mmdet.py',
    '../_base_/models/mobilenet-v2.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
model = dict(
    _base_.query_model,
    backbone=dict(_base_.mobilenet_v2, _delete_=True),
    panoptic_head=dict(_base_.mmdet_head, in_channels=[24, 32, 96, 320]),
)
