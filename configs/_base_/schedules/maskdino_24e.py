"""24 epochs of COCO at 16 images a step; see maskdino_50e.py."""

_base_ = './maskdino_50e.py'

max_iters = 177000
val_interval = _base_.val_interval

param_scheduler = dict(end=max_iters, milestones=[147500])
train_cfg = dict(
    max_iters=max_iters,
    dynamic_intervals=[
        (max_iters // val_interval * val_interval + 1, max_iters)
    ],
)
