"""Synthetic scenes, a class for each pixel: see scenes_instance.py."""

data_root = '{{$SCENES_ROOT:data/scenes/}}'
thing_classes = ('disc', 'box', 'triangle', 'star', 'ring', 'cross')
stuff_classes = ('meadow', 'water', 'bricks')
metainfo = dict(
    classes=thing_classes + stuff_classes,
    palette=[
        (220, 20, 60),
        (240, 200, 0),
        (0, 170, 60),
        (0, 190, 210),
        (40, 60, 220),
        (200, 40, 220),
        (150, 190, 120),
        (120, 160, 190),
        (190, 150, 130),
    ],
)

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
