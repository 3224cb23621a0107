"""COCO instances with large scale jittering exactly as published.

One offset for both axes of the crop, and padding with 128 before
normalisation.
"""

_base_ = 'mmdet::_base_/datasets/coco_instance.py'

num_things_classes = 80
num_stuff_classes = 0
crop_size = (1024, 1024)

train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(
        type='RandomResize',
        scale=crop_size,
        ratio_range=(0.1, 2.0),
        resize_type='mmdet.Resize',
        keep_ratio=True,
    ),
    dict(
        type='mmseg_plugin.SharedOffsetCrop',
        crop_size=crop_size,
        crop_type='absolute',
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
    dict(
        type='mmdet.FilterAnnotations',
        min_gt_bbox_wh=(1e-5, 1e-5),
        by_mask=True,
    ),
    dict(
        type='mmdet.Pad',
        size=crop_size,
        pad_val=dict(img=128, seg=255, masks=0),
    ),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
