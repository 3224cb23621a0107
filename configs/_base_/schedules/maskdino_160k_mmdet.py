"""maskdino_160k.py for mmdet: 160000 iterations of 16 images."""

_base_ = './maskdino_50e.py'

max_iters = 160000

train_cfg = dict(max_iters=max_iters, dynamic_intervals=None)
param_scheduler = dict(end=max_iters, milestones=[144000, 152000])
