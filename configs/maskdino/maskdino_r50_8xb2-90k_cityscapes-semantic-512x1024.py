_base_ = [
    '../_base_/models/maskdino_semantic.py',
    '../_base_/datasets/semantic.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_cityscapes
train_dataloader = _base_.cityscapes_train
val_dataloader = _base_.cityscapes_val
test_dataloader = val_dataloader
train_cfg = dict(max_iters=90000, dynamic_intervals=None)
param_scheduler = dict(end=90000, milestones=[81000, 85500])
