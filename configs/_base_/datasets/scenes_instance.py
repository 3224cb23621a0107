"""Synthetic scenes as made by ``python -m mmseg_plugin make_scenes``.

The environment variable SCENES_ROOT replaces the folder (end it with a
slash).
"""

_base_ = ['mmdet::_base_/datasets/coco_instance.py', './scenes_classes.py']

data_root = '{{$SCENES_ROOT:data/scenes/}}'
metainfo = dict(classes=_base_.thing_classes, palette=_base_.thing_palette)
num_classes = len(_base_.thing_classes)
things_and_stuff = dict(num_things_classes=num_classes, num_stuff_classes=0)
query_model = dict(
    panoptic_head=things_and_stuff, panoptic_fusion_head=things_and_stuff
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
