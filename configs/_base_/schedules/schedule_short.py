"""Twelve epochs of a small data set, evaluated once at the end.

AdamW, because SGD at a rate that is safe here is still in its plateau by
then.
"""

_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

train_cfg = dict(val_interval=12)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=30),
    dict(
        type='MultiStepLR',
        begin=0,
        end=12,
        by_epoch=True,
        milestones=[8, 11],
        gamma=0.1,
    ),
]

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.001, weight_decay=0.05),
    clip_grad=dict(max_norm=35),
)
