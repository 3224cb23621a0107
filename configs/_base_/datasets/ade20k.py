"""ADE20K, 150 classes, in crops of 512; as published for MaskFormer."""

data_root = '{{$ADE20K_ROOT:data/ade/ADEChallengeData2016/}}'
crop_size = (512, 512)
max_size = 2048

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg.LoadAnnotations', reduce_zero_label=True),
    dict(
        type='RandomChoiceResize',
        resize_type='mmseg.ResizeShortestEdge',
        scales=[crop_size[0] * tenths // 10 for tenths in range(5, 21)],
        max_size=max_size,
    ),
    dict(type='mmseg.RandomCrop', crop_size=crop_size),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(max_size, crop_size[0]), keep_ratio=True),
    # Behind the resize: compared at the stored size. mmseg's inferencers
    # drop it by this name, the only bare one of mmseg.
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmseg.ADE20KDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmseg.ADE20KDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/validation',
            seg_map_path='annotations/validation',
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# 8 GPUs with the batch size above.
auto_scale_lr = dict(enable=False, base_batch_size=16)
