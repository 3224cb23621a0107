"""COCO panoptic at many scales, read without panopticapi.

Values to assign in a config that inherits one of mmdet's MaskFormer.
"""

_base_ = './coco_parts.py'

resize = dict(
    type='RandomChoiceResize',
    scales=[(size, 1333) for size in range(480, 801, 32)],
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
ms_train_dataloader = dict(
    dataset=dict(
        _base_.panoptic_loader.dataset,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg_plugin.LoadPanopticAnnotations'),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(
                type='RandomChoice',
                transforms=[
                    [resize],
                    [
                        dict(
                            type='RandomChoiceResize',
                            scales=[(400, 1333), (500, 1333), (600, 1333)],
                            resize_type='mmdet.Resize',
                            keep_ratio=True,
                        ),
                        dict(
                            type='mmdet.RandomCrop',
                            crop_type='absolute_range',
                            crop_size=(384, 600),
                            allow_negative_crop=True,
                        ),
                        resize,
                    ],
                ],
            ),
            dict(type='mmdet.PackDetInputs'),
        ],
    )
)
