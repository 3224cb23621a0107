_base_ = [
    '../_base_/models/maskdino_segmentor.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/schedules/maskdino_segmentor.py',
]
model = dict(
    data_preprocessor=dict(size=_base_.crop_size),
    backbone=dict(norm_cfg=dict(type='SyncBN'), norm_eval=False),
    decode_head=dict(num_classes=19),
)
train_cfg = dict(max_iters=90000)
param_scheduler = dict(end=90000, milestones=[81000, 85500])
