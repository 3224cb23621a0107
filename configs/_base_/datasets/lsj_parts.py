"""Parts of large scale jittering, at 1024 and at 1280.

`jitter` and `pad` are exactly as published: one offset for both axes of the
crop, and padding with 128 before normalisation.
"""

read_instances = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
]
read_panoptic = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(type='mmseg_plugin.LoadPanopticAnnotations'),
]
flip = dict(type='mmdet.RandomFlip', prob=0.5)
scale = dict(
    type='RandomResize',
    scale=(1024, 1024),
    ratio_range=(0.1, 2.0),
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
crop = dict(
    type='mmseg_plugin.SharedOffsetCrop',
    crop_size=(1024, 1024),
    crop_type='absolute',
    recompute_bbox=True,
    allow_negative_crop=True,
)
square = dict(
    type='mmdet.Pad',
    size=(1024, 1024),
    pad_val=dict(img=128, seg=255, masks=0),
)
pack = dict(type='mmdet.PackDetInputs')

jitter = [flip, scale, crop]
pad = [square, pack]
jitter_1280 = [
    flip,
    dict(scale, scale=(1280, 1280)),
    dict(crop, crop_size=(1280, 1280)),
]
pad_1280 = [dict(square, size=(1280, 1280)), pack]
