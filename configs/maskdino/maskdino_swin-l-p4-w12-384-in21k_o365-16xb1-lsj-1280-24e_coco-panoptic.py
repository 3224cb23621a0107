_base_ = [
    '../_base_/models/maskdino_swin-l_panoptic.py',
    '../_base_/datasets/coco_panoptic_full.py',
    '../_base_/schedules/maskdino_swin_ema_24e.py',
]
model = _base_.query_model
train_dataloader = _base_.lsj_1280
