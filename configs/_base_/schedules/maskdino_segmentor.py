"""160000 iterations of 16 images; the rate drops at 0.9 and 0.95.

As the paper's supplement says; the published configs drop it at iterations
135000 and 150000.
"""

_base_ = './semantic.py'

optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(label_embedding=dict(decay_mult=0.0)))
)
param_scheduler = dict(
    _delete_=True,
    type='MultiStepLR',
    end=160000,
    by_epoch=False,
    milestones=[144000, 152000],
    gamma=0.1,
)
