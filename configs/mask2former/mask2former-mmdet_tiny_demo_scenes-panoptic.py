_base_ = [
    '../_base_/models/mask2former_tiny_mmdet.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/schedules/scenes_demo.py',
]
things, stuff = _base_.num_things_classes, _base_.num_stuff_classes
classes = dict(num_things_classes=things, num_stuff_classes=stuff)
loss_cls = dict(class_weight=[1.0] * (things + stuff) + [0.1])
model = dict(
    panoptic_head=dict(classes, loss_cls=loss_cls),
    panoptic_fusion_head=classes,
)
