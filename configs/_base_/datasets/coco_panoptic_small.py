"""Panoptic segmentation in COCO's layout, at a size for a CPU.

See coco_parts.py for where it is.
"""

_base_ = './coco_panoptic.py'

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
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
