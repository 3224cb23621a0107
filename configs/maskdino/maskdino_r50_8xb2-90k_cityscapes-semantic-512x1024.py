_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/cityscapes_semantic.py',
    '../_base_/schedules/maskdino_160k_mmdet.py',
]
model = dict(
    _base_.query_model,
    backbone=dict(norm_cfg=dict(type='SyncBN'), norm_eval=False),
)
train_cfg = dict(max_iters=90000)
param_scheduler = dict(end=90000, milestones=[81000, 85500])
