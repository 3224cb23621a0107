"""As semantic.py for 200000 iterations; maps of 16 bits."""

_base_ = './semantic.py'

val_evaluator = dict(ignore_index=65535)
test_evaluator = val_evaluator

train_cfg = dict(max_iters=200000)
param_scheduler = dict(end=200000)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
