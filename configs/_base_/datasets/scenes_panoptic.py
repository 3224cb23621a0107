"""Synthetic scenes with things and stuff: see scenes_instance.py."""

_base_ = 'mmdet::_base_/datasets/coco_panoptic.py'

data_root = '{{$SCENES_ROOT:data/scenes/}}'
thing_classes = ('disc', 'box', 'triangle', 'star', 'ring', 'cross')
stuff_classes = ('meadow', 'water', 'bricks')
metainfo = dict(
    classes=thing_classes + stuff_classes,
    thing_classes=thing_classes,
    stuff_classes=stuff_classes,
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
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
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
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
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
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        ann_file='annotations/panoptic_train.json',
        data_prefix=dict(img='train/', seg='annotations/panoptic_train/'),
        metainfo=metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        ann_file='annotations/panoptic_val.json',
        data_prefix=dict(img='val/', seg='annotations/panoptic_val/'),
        metainfo=metainfo,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='mmseg_plugin.CocoPanopticMetric',
    ann_file=f'{data_root}annotations/panoptic_val.json',
    seg_prefix=f'{data_root}annotations/panoptic_val/',
)
test_evaluator = val_evaluator
# For models that give instances too.
panoptic_and_instance_evaluator = [
    val_evaluator,
    dict(
        type='mmseg_plugin.CocoInstanceMetric',
        ann_file=f'{data_root}annotations/instances_val.json',
        metric=['bbox', 'segm'],
    ),
]
