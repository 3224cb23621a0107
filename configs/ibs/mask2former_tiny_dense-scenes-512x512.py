_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/dense_scenes.py',
    '../_base_/schedules/dense_scenes.py',
]
classes = dict(num_things_classes=6, num_stuff_classes=3)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
train_dataloader = _base_.crops
