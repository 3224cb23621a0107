"""Minutes on a CPU, from the weights of the demo on small scenes.

Give them as `load_from`. AdamW, warm-up and one cosine, evaluated at the end.
"""

_base_ = './scenes_demo.py'

max_iters = 100

train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=max_iters,
)
optim_wrapper = dict(optimizer=dict(lr=0.001))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=10),
    dict(type='CosineAnnealingLR', T_max=max_iters, by_epoch=False),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max_iters))
log_processor = dict(by_epoch=False)
