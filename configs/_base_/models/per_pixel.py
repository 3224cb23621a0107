"""Nets of mmseg that classify each pixel, on a ResNet-50 (V1c).

`model = _base_.fpn`, `_base_.upernet` or `_base_.deeplabv3plus`, all as in
mmseg. The config that uses one gives num_classes.
"""

norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='mmseg_plugin.EncoderDecoder',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type='mmseg.ResNetV1c',
        depth=50,
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',
        init_cfg=dict(
            type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)

fpn = dict(
    neck=dict(
        type='mmseg.FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=4,
    ),
    decode_head=dict(
        type='mmseg.FPNHead',
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
)

auxiliary_head = dict(
    type='mmseg.FCNHead',
    in_channels=1024,
    in_index=2,
    channels=256,
    num_convs=1,
    concat_input=False,
    dropout_ratio=0.1,
    norm_cfg=norm_cfg,
    loss_decode=dict(type='mmseg.CrossEntropyLoss', loss_weight=0.4),
)
upernet = dict(
    decode_head=dict(
        type='mmseg.UPerHead',
        in_channels=[256, 512, 1024, 2048],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.1,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
    auxiliary_head=auxiliary_head,
)
# Stride 8.
deeplabv3plus = dict(
    backbone=dict(
        dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), contract_dilation=True
    ),
    decode_head=dict(
        type='mmseg.DepthwiseSeparableASPPHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        dilations=(1, 12, 24, 36),
        c1_in_channels=256,
        c1_channels=48,
        dropout_ratio=0.1,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
    auxiliary_head=auxiliary_head,
)
