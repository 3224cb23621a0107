_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_things_classes=6, num_stuff_classes=3)
# mmdet's own head wants a weight for every class and for none.
class_weight = dict(class_weight=[1.0] * 9 + [0.1])
model = dict(_base_.mmdet_mask2former)
model['panoptic_head'].update(classes)
model['panoptic_head']['loss_cls'].update(class_weight)
model['panoptic_fusion_head'].update(classes)
