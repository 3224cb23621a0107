_base_ = [
    '../_base_/models/maskdino_r50_panoptic.py',
    '../_base_/datasets/coco_panoptic_full.py',
    '../_base_/schedules/maskdino_50e.py',
]
classes = dict(
    num_things_classes=_base_.num_things_classes,
    num_stuff_classes=_base_.num_stuff_classes,
)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
