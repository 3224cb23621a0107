"""Three times as long."""

_base_ = './panoptic_fcn.py'

max_iters = 270000
train_cfg = dict(max_iters=max_iters)
param_scheduler = [_base_.warmup, dict(_base_.poly, end=max_iters + 1)]
