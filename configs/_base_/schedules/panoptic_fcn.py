"""Published schedule of Panoptic FCN, for `max_iters` iterations.

SGD whose rate falls by a power of 0.9; it is multiplied by the warm-up.
Gradients are clipped element by element, as detectron2 does by default.
"""

# Frequently modified
max_iters = 90000
lr = 0.01
batch_size = 16

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(type='value', clip_value=35),
    paramwise_cfg=dict(norm_decay_mult=0),
)
# The last step of both is one before `end`.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=1001),
    dict(type='PolyLR', power=0.9, by_epoch=False, end=max_iters + 1),
]
