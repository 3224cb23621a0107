"""Nuclei of the 2018 Data Science Bowl: one class, in COCO's format.

The environment variable NUCLEI_ROOT replaces the folder (end it with a
slash). Up to 258 instances are in an image: every AP counts all of them, as
segm_max_dets says.
"""

_base_ = 'mmdet::_base_/datasets/coco_instance.py'

data_root = '{{$NUCLEI_ROOT:data/dsb2018_nuclei/}}'
metainfo = dict(classes=('nucleus',), palette=[(220, 20, 60)])

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='mmdet.RandomCrop', crop_size=(256, 256)),
    dict(
        type='mmdet.RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale_factor=1.0, keep_ratio=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(
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
