"""Published schedule of Panoptic FCN on COCO: 90k iterations of 16 images.

SGD whose rate falls by a power of 0.9; it is multiplied by the warm-up.
Gradients are clipped element by element, as detectron2 does by default.
"""

_base_ = '../runtime/default.py'

max_iters = 90000
clip_by = 'value'

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10000
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    constructor=_base_.merged_groups,
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(type=clip_by, clip_value=35),
    paramwise_cfg=dict(norm_decay_mult=0),
)
# The last step of both is one before `end`.
warmup = dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=1001)
poly = dict(type='PolyLR', power=0.9, by_epoch=False, end=max_iters + 1)
param_scheduler = [warmup, poly]

default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=10000, max_keep_ckpts=2)
)
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(base_batch_size=16)
# Draws RLE and maps that are all void too.
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
