"""Minutes on a CPU, from the weights of the demo on small scenes.

Give them as `load_from`. AdamW, warm-up and one cosine, evaluated at the end.
"""

_base_ = 'mmdet::_base_/default_runtime.py'

max_iters = 100

train_cfg = dict(
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=max_iters,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=10),
    dict(type='CosineAnnealingLR', T_max=max_iters, by_epoch=False),
]
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
