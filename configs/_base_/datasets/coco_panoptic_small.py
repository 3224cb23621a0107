"""Panoptic segmentation in COCO's layout, at a size for a CPU.

The environment variable COCO_ROOT replaces the folder (end it with a slash).
"""

_base_ = 'mmdet::_base_/datasets/coco_panoptic.py'

data_root = '{{$COCO_ROOT:data/coco/}}'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
    dict(type='mmdet.Resize', scale=(512, 320), keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(512, 320), keep_ratio=True),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type='mmseg_plugin.CocoPanopticDataset',
        data_root=data_root,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='mmseg_plugin.CocoPanopticMetric',
    ann_file=f'{data_root}annotations/panoptic_val2017.json',
    seg_prefix=f'{data_root}annotations/panoptic_val2017/',
)
test_evaluator = val_evaluator
