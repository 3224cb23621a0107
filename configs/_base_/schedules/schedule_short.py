"""600 iterations of two images, evaluated once at the end: minutes on a CPU.

AdamW, because SGD at a rate that is safe here is still in its plateau by
then.
"""

_base_ = [
    'mmdet::_base_/schedules/schedule_1x.py',
    'mmdet::_base_/default_runtime.py',
]

max_iters = 600

train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=max_iters,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_iters,
        by_epoch=False,
        milestones=[400, 550],
        gamma=0.1,
    ),
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.001, weight_decay=0.05),
    clip_grad=dict(max_norm=35),
)

default_hooks = dict(
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    progress=dict(type='mmseg_plugin.ProgressHook'),
    pictures=dict(type='mmseg_plugin.PicturesHook'),
    checkpoint=dict(
        type='mmseg_plugin.SafeCheckpointHook',
        by_epoch=False,
        interval=max_iters,
    ),
    logger=dict(interval=20),
)
log_processor = dict(type='mmseg_plugin.LogLines', by_epoch=False)
# Draws RLE and maps that are all void too.
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
