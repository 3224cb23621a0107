"""Panoptic FCN on whole Mapillary Vistas images: batches of 8."""

_base_ = './panoptic_fcn.py'

train_cfg = dict(max_iters=150000)
optim_wrapper = dict(optimizer=dict(lr=0.005))
param_scheduler = [
    dict(_base_.warmup, end=2001),
    dict(_base_.poly, end=150001),
]
auto_scale_lr = dict(base_batch_size=8)
