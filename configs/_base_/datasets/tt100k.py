"""Tsinghua-Tencent 100K; images and pipeline as EFPN tests on it.

https://cg.cs.tsinghua.edu.cn/traffic-sign/: unpack data.zip into
data/tt100k/. The environment variable TT100K_ROOT replaces the folder (end
it with a slash).
"""

data_root = '{{$TT100K_ROOT:data/tt100k/}}'

resize = dict(type='mmdet.Resize', scale=(4000, 1400), keep_ratio=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    resize,
    # No flips: signs mean something else in a mirror.
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'instances',
        ),
    ),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(
        type='mmseg_plugin.TT100KDataset',
        data_root=data_root,
        split='train',
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmseg_plugin.TT100KDataset',
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmseg_plugin.CocoInstanceMetric', metric='bbox')
test_evaluator = val_evaluator
