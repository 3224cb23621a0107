_base_ = [
    '../_base_/models/maskdino_swin-l_panoptic.py',
    '../_base_/datasets/coco_panoptic_full.py',
    '../_base_/datasets/coco_lsj_1280.py',
    '../_base_/schedules/maskdino_swin_ema_24e.py',
]
classes = dict(
    num_things_classes=_base_.num_things_classes,
    num_stuff_classes=_base_.num_stuff_classes,
)
model = dict(panoptic_head=classes, panoptic_fusion_head=classes)
train_dataloader = _base_.panoptic_1280
