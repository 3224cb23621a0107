"""Mask DINO with ResNet-50; the config that uses it gives the classes.

`model = _base_.hid1024` makes it the published one with three levels and a
narrower encoder.
"""

_base_ = './maskdino_head.py'

model = dict(
    type='mmseg_plugin.MaskDINO',
    data_preprocessor=dict(
        type='mmdet.DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        pad_mask=True,
        pad_seg=True,
        seg_pad_value=255,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    panoptic_head=_base_.maskdino_head,
    panoptic_fusion_head=dict(
        type='mmseg_plugin.QueryFusionHead', use_sigmoid=True
    ),
    train_cfg=dict(assigner=_base_.maskdino_assigner),
    test_cfg=dict(panoptic_on=False, instance_on=True, max_per_image=100),
)
hid1024 = dict(
    panoptic_head=dict(
        initialize_box_type='bitmask',
        pixel_decoder=dict(
            num_extra_levels=0,
            feature_order='high2low',
            feedforward_channels=1024,
        ),
    )
)
