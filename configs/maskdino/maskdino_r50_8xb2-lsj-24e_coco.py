_base_ = [
    '../_base_/models/maskdino_r50.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino_24e.py',
]
classes = dict(
    num_things_classes=_base_.num_things_classes,
    num_stuff_classes=_base_.num_stuff_classes,
)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
