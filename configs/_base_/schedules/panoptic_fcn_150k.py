"""Panoptic FCN on crops of Mapillary Vistas: batches of 32."""

_base_ = './panoptic_fcn.py'

train_cfg = dict(max_iters=150000)
optim_wrapper = dict(optimizer=dict(lr=0.02))
param_scheduler = [
    dict(_base_.warmup, end=2001),
    dict(_base_.poly, end=150001),
]
auto_scale_lr = dict(base_batch_size=32)
