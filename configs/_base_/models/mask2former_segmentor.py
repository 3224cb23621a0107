"""Mask2Former for mmseg. The config that uses it gives num_classes."""

num_points = 12544

# Said although it is the default, which mmcv overwrites by what another model
# in the process was built with.
attention = dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True)
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
            type='mmseg_plugin.Mask2FormerHead',
            in_channels=[256, 512, 1024, 2048],
            feat_channels=256,
            out_channels=256,
            num_queries=100,
            pixel_decoder=dict(
                type='mmseg_plugin.MSDeformAttnPixelDecoder',
                encoder=dict(
                    num_layers=6,
                    layer_cfg=dict(
                        self_attn_cfg=dict(attention, num_levels=3),
                        ffn_cfg=dict(
                            embed_dims=256, feedforward_channels=1024
                        ),
                    ),
                ),
                positional_encoding=dict(num_feats=128, normalize=True),
            ),
            transformer_decoder=dict(
                num_layers=9,
                layer_cfg=dict(
                    self_attn_cfg=attention,
                    cross_attn_cfg=attention,
                    ffn_cfg=dict(embed_dims=256, feedforward_channels=2048),
                ),
            ),
            loss_cls=dict(
                type='mmseg_plugin.QueryClassLoss',
                no_object_weight=0.1,
                loss_weight=2.0,
            ),
            loss_mask=dict(
                type='mmseg_plugin.PointMaskLoss',
                num_points=num_points,
                oversample_ratio=3.0,
                importance_sample_ratio=0.75,
                mask_weight=5.0,
                dice_weight=5.0,
            ),
            train_cfg=dict(
                assigner=dict(
                    type='mmseg_plugin.BatchHungarianAssigner',
                    num_points=num_points,
                    costs=[
                        dict(type='mmseg_plugin.SoftmaxClassCost', weight=2.0),
                        dict(type='mmseg_plugin.MaskBCECost', weight=5.0),
                        dict(type='mmseg_plugin.MaskDiceCost', weight=5.0),
                    ],
                )
            ),
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
