"""Boxes alone, to start from: 26 epochs of 64 images a step, as for DINO."""

_base_ = [
    '../_base_/models/maskdino.py',
    'mmdet::_base_/datasets/objects365v2_detection.py',
    '../_base_/schedules/maskdino.py',
]
model = _base_.maskdino_swin_l_objects365
optim_wrapper = _base_.swin_l_optimizer
train_dataloader = dict(batch_size=1)
train_cfg = dict(max_iters=708000, dynamic_intervals=[(705001, 708000)])
param_scheduler = dict(end=708000, milestones=[637200, 672600])
auto_scale_lr = dict(base_batch_size=64)
