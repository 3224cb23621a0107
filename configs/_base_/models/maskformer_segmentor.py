"""MaskFormer for mmseg. The config that uses it gives num_classes."""

_base_ = './maskformer.py'

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
        type='mmseg.ResNet',
        depth=50,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        head=dict(
            _base_.query_head,
            pixel_decoder=dict(type='mmdet.PixelDecoder'),
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
