"""Panoptic FCN on whole images of Cityscapes: batches of 4."""

_base_ = './panoptic_fcn.py'

train_cfg = dict(max_iters=100000)
optim_wrapper = dict(optimizer=dict(lr=0.005), clip_grad=dict(clip_value=5))
param_scheduler = [
    _base_.warmup,
    dict(_base_.poly, end=100001),
]
auto_scale_lr = dict(base_batch_size=4)
