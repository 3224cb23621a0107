_base_ = [
    '../_base_/models/panoptic_fcn_tiny.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_things_classes=80, num_stuff_classes=53)
model = dict(
    _base_.panoptic_fcn_mobilenetv2,
    panoptic_head=classes,
    panoptic_fusion_head=classes,
)
