"""AdamW and a polynomial rate for 160000 iterations of 16 images.

As published for Mask2Former on ADE20K; for mmseg, evaluated by mIoU.
"""

default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
default_hooks = dict(
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    progress=dict(type='mmseg_plugin.ProgressHook'),
    pictures=dict(type='mmseg_plugin.PicturesHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmseg_plugin.SafeCheckpointHook',
        by_epoch=False,
        interval=5000,
        max_keep_ckpts=3,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='mmseg.SegVisualizationHook'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='mmseg.SegLocalVisualizer',
    vis_backends=vis_backends,
    name='visualizer',
)
log_processor = dict(type='mmseg_plugin.LogLines', by_epoch=False)
log_level = 'INFO'
load_from = None
resume = False

val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = dict(type='mmseg.IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

no_decay = dict(decay_mult=0.0)

train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=160000, val_interval=5000
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='mmseg_plugin.MergedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
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
    type='PolyLR', power=0.9, eta_min=0.0, end=160000, by_epoch=False
)
