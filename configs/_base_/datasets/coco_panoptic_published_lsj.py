"""Large scale jittering exactly as Mask2Former publishes it.

One offset for both axes of the crop, and padding with 128 before
normalisation; see coco_panoptic_lsj.py for mmdet's, which the model zoo uses.
"""

_base_ = './coco_panoptic_lsj.py'

published_lsj_train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile', to_float32=True),
            dict(type='mmseg_plugin.LoadPanopticAnnotations'),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(
                type='RandomResize',
                scale=_base_.crop_size,
                ratio_range=(0.1, 2.0),
                resize_type='mmdet.Resize',
                keep_ratio=True,
            ),
            dict(
                type='mmseg_plugin.SharedOffsetCrop',
                crop_size=_base_.crop_size,
                crop_type='absolute',
                recompute_bbox=True,
                allow_negative_crop=True,
            ),
            dict(
                type='mmdet.Pad',
                size=_base_.crop_size,
                pad_val=dict(img=128, seg=255, masks=0),
            ),
            dict(type='mmdet.PackDetInputs'),
        ]
    )
)
