_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/schedule_short.py',
]
classes = dict(num_things_classes=80, num_stuff_classes=53)
# mmdet's own head wants a weight for every class and for none.
class_weight = dict(class_weight=[1.0] * 133 + [0.1])
model = dict(_base_.mmdet_mask2former, backbone=_base_.mobilenet_v2)
model['panoptic_head'].update(classes, in_channels=[24, 32, 96, 320])
model['panoptic_head']['loss_cls'].update(class_weight)
model['panoptic_fusion_head'].update(classes)
