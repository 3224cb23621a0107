"""Minutes on a CPU: AdamW, warm-up and one cosine, evaluated at the end."""

_base_ = 'mmdet::_base_/default_runtime.py'

max_epochs = 2

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmseg_plugin.MergedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=100),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        convert_to_iter_based=True,
    ),
]

default_hooks = dict(
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    progress=dict(type='mmseg_plugin.ProgressHook'),
    pictures=dict(type='mmseg_plugin.PicturesHook'),
    checkpoint=dict(type='mmseg_plugin.SafeCheckpointHook'),
    logger=dict(interval=20),
)
log_processor = dict(type='mmseg_plugin.LogLines')
# Draws RLE and maps that are all void too.
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
