"""90000 iterations, as published for Cityscapes."""

_base_ = './semantic_160k.py'

max_iters = 90000

train_cfg = dict(max_iters=max_iters)
param_scheduler = dict(end=max_iters)
