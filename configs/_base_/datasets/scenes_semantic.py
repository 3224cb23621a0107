"""Synthetic scenes, a class for each pixel: see scenes_instance.py."""

_base_ = './scenes_classes.py'

data_root = '{{$SCENES_ROOT:data/scenes/}}'
metainfo = dict(
    classes=_base_.thing_classes + _base_.stuff_classes,
    palette=_base_.thing_palette + _base_.stuff_palette,
)
num_classes = len(metainfo['classes'])

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg.LoadAnnotations'),
    dict(
        type='RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    # mmseg's inferencers drop it by this name, the only bare one of mmseg.
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmseg.BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        data_prefix=dict(
            img_path='train/', seg_map_path='annotations/semantic_train/'
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmseg.BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        data_prefix=dict(
            img_path='val/', seg_map_path='annotations/semantic_val/'
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
