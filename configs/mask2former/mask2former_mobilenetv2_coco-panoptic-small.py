_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_things_classes=80, num_stuff_classes=53)
model = dict(
    backbone=_base_.mobilenet_v2,
    panoptic_head=dict(classes, in_channels=[24, 32, 96, 320]),
    panoptic_fusion_head=classes,
)
