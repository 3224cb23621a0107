_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/models/mobilenet-v2.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
classes = _base_.things_and_stuff
model = dict(
    backbone=dict(_base_.mobilenet_v2, _delete_=True),
    panoptic_head=dict(classes, in_channels=[24, 32, 96, 320]),
    panoptic_fusion_head=classes,
)
