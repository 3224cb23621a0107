"""Synthetic scenes as made by ``python -m mmseg_plugin make_scenes``.

The environment variable SCENES_ROOT replaces the folder (end it with a
slash).
"""

_base_ = 'mmdet::_base_/datasets/coco_instance.py'

data_root = '{{$SCENES_ROOT:data/scenes/}}'
metainfo = dict(
    classes=('disc', 'box', 'triangle', 'star', 'ring', 'cross'),
    palette=[
        (220, 20, 60),
        (240, 200, 0),
        (0, 170, 60),
        (0, 190, 210),
        (40, 60, 220),
        (200, 40, 220),
    ],
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='mmdet.RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    # For its scale_factor, which mask heads ask for.
    dict(type='mmdet.Resize', scale_factor=1.0),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
        ),
    ),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoInstanceDataset',
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='train/'),
        metainfo=metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoInstanceDataset',
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/'),
        metainfo=metainfo,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='mmseg_plugin.CocoInstanceMetric',
    ann_file=f'{data_root}annotations/instances_val.json',
)
test_evaluator = val_evaluator
