"""Mask2Former that learns from scratch in minutes on two CPU cores.

A ResNet-18 and a decoder with a quarter of the channels, fewer layers,
queries and points. The config that uses it gives the numbers of classes.
"""

_base_ = './mask2former.py'

channels = 64
num_points = 1024

attention = dict(embed_dims=channels, num_heads=4, batch_first=True)
model = dict(
    type='mmseg_plugin.QueryDetector',
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
        depth=18,
        base_channels=16,
        stem_channels=16,
        norm_eval=False,
    ),
    panoptic_head=dict(
        type='mmseg_plugin.Mask2FormerHead',
        in_channels=[16, 32, 64, 128],
        feat_channels=channels,
        out_channels=channels,
        num_queries=40,
        pixel_decoder=dict(
            type='mmseg_plugin.MSDeformAttnPixelDecoder',
            encoder=dict(
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=dict(attention, num_levels=3, dropout=0.0),
                    ffn_cfg=dict(
                        embed_dims=channels, feedforward_channels=256
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=channels // 2, normalize=True),
        ),
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(embed_dims=channels, feedforward_channels=256),
            ),
        ),
        loss_cls=_base_.loss_cls,
        loss_mask=dict(_base_.loss_mask, num_points=num_points),
    ),
    panoptic_fusion_head=dict(type='mmseg_plugin.QueryFusionHead'),
    train_cfg=dict(assigner=dict(_base_.assigner, num_points=num_points)),
    test_cfg=dict(
        panoptic_on=True,
        object_mask_thr=0.5,
        filter_low_score=True,
    ),
)
