_base_ = [
    '../_base_/models/panoptic_fcn_tiny.py',
    '../_base_/models/mobilenet-v2.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
model = dict(
    _base_.query_model,
    backbone=dict(_base_.mobilenet_v2, _delete_=True),
    neck=dict(in_channels=[24, 32, 96, 320]),
)
