_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/semantic.py',
    '../_base_/schedules/maskdino_160k_mmdet.py',
]
model = _base_.cityscapes_model
train_dataloader = _base_.cityscapes_train
val_dataloader = _base_.cityscapes_val
test_dataloader = val_dataloader
train_cfg = dict(max_iters=90000)
param_scheduler = dict(end=90000, milestones=[81000, 85500])
