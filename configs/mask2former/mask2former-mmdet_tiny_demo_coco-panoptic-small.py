_base_ = [
    '../_base_/models/mask2former_tiny_mmdet.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = _base_.things_and_stuff
loss_cls = dict(class_weight=[1.0] * sum(classes.values()) + [0.1])
model = dict(
    panoptic_head=dict(classes, loss_cls=loss_cls),
    panoptic_fusion_head=classes,
)
