"""Published schedule of Panoptic FCN on COCO: 90k iterations of 16 images.

SGD whose rate falls by a power of 0.9; it is multiplied by the warm-up.
Gradients are clipped element by element, as detectron2 does by default. For
three times as long: `train_cfg = _base_.train_3x` and `param_scheduler =
_base_.poly_3x`.
"""

_base_ = 'mmdet::_base_/default_runtime.py'

clip_by = 'value'

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=90000, val_interval=10000
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmseg_plugin.MergedOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(type=clip_by, clip_value=35),
    paramwise_cfg=dict(norm_decay_mult=0),
)
# The last step of both is one before `end`.
warmup = dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=1001)
poly = dict(type='PolyLR', power=0.9, by_epoch=False, end=90001)
param_scheduler = [warmup, poly]

default_hooks = dict(
    progress=dict(type='mmseg_plugin.ProgressHook'),
    pictures=dict(type='mmseg_plugin.PicturesHook'),
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    checkpoint=dict(
        type='mmseg_plugin.SafeCheckpointHook',
        by_epoch=False,
        interval=10000,
        max_keep_ckpts=2,
    ),
)
log_processor = dict(type='mmseg_plugin.LogLines', by_epoch=False)
auto_scale_lr = dict(base_batch_size=16)
# Draws RLE and maps that are all void too.
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')

train_3x = dict(max_iters=270000)
poly_3x = [warmup, dict(poly, end=270001)]
