"""AdamW and a polynomial rate for 160000 iterations of 16 images.

As published for Mask2Former on ADE20K.
"""

_base_ = '../runtime/semantic.py'

max_iters = 160000
weight_decay = 0.05
no_decay = dict(decay_mult=0.0)

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=5000
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor=_base_.merged_groups,
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=weight_decay),
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'query_embed': no_decay,
            'query_feat': no_decay,
            'level_embed': no_decay,
        },
        norm_decay_mult=0.0,
    ),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
param_scheduler = dict(
    type='PolyLR', power=0.9, eta_min=0.0, end=max_iters, by_epoch=False
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
