"""Large scale jittering of COCO at 1280, one image for each process.

Values: `train_dataloader = _base_.instance_1280` or `panoptic_1280`.
"""

size_1280 = (1280, 1280)
jitter_1280 = [
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(
        type='RandomResize',
        scale=size_1280,
        ratio_range=(0.1, 2.0),
        resize_type='mmdet.Resize',
        keep_ratio=True,
    ),
    dict(
        type='mmseg_plugin.SharedOffsetCrop',
        crop_size=size_1280,
        crop_type='absolute',
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
]
pad_1280 = [
    dict(
        type='mmdet.Pad',
        size=size_1280,
        pad_val=dict(img=128, seg=255, masks=0),
    ),
    dict(type='mmdet.PackDetInputs'),
]
instance_1280 = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', to_float32=True),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
            *jitter_1280,
            dict(
                type='mmdet.FilterAnnotations',
                min_gt_bbox_wh=(1e-5, 1e-5),
                by_mask=True,
            ),
            *pad_1280,
        ]
    ),
)
panoptic_1280 = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', to_float32=True),
            dict(type='mmseg_plugin.LoadPanopticAnnotations'),
            *jitter_1280,
            *pad_1280,
        ]
    ),
)
