_base_ = [
    '../_base_/models/panoptic_fcn_tiny.py',
    '../_base_/datasets/dense_scenes.py',
    '../_base_/schedules/dense_scenes.py',
]
classes = dict(
    num_things_classes=_base_.num_things_classes,
    num_stuff_classes=_base_.num_stuff_classes,
)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
train_dataloader = _base_.crops
