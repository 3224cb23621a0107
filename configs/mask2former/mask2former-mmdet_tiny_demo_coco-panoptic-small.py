_base_ = [
    '../_base_/models/mask2former_tiny_mmdet.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_things_classes=80, num_stuff_classes=53)
loss_cls = dict(class_weight=[1.0] * 133 + [0.1])
model = dict(
    panoptic_head=dict(classes, loss_cls=loss_cls),
    panoptic_fusion_head=classes,
)
