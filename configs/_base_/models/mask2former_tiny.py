"""Mask2Former that learns from scratch in minutes on two CPU cores.

A ResNet-18 and a decoder with a quarter of the channels, fewer layers,
queries and points. The config that uses it gives the numbers of classes.
`model = _base_.mmdet_mask2former` is mmdet's own one of this size, head,
losses and results, to compare with; `model = _base_.tiny_maskformer` a
MaskFormer on a feature pyramid; `backbone=_base_.mobilenet_v2` is an
ImageNet backbone for either, with `in_channels=[24, 32, 96, 320]`.
"""

channels = 64
num_points = 1024

# Said although it is the default, which mmcv overwrites by what another model
# in the process was built with.
attention = dict(
    embed_dims=channels, num_heads=4, dropout=0.0, batch_first=True
)
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
                    self_attn_cfg=dict(attention, num_levels=3),
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
    ),
    panoptic_fusion_head=dict(type='mmseg_plugin.QueryFusionHead'),
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
    test_cfg=dict(
        panoptic_on=True,
        object_mask_thr=0.5,
        filter_low_score=True,
    ),
)

mmdet_mask2former = dict(
    type='mmdet.Mask2Former',
    panoptic_head=dict(
        type='mmdet.Mask2FormerHead',
        strides=[4, 8, 16, 32],
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type='mmdet.MSDeformAttnPixelDecoder',
            num_outs=3,
            norm_cfg=dict(type='GN', num_groups=32),
            act_cfg=dict(type='ReLU'),
        ),
        positional_encoding=dict(num_feats=channels // 2, normalize=True),
        loss_cls=dict(
            type='mmdet.CrossEntropyLoss', loss_weight=2.0, _delete_=True
        ),
        loss_mask=dict(
            type='mmdet.CrossEntropyLoss',
            use_sigmoid=True,
            loss_weight=5.0,
            _delete_=True,
        ),
        loss_dice=dict(
            type='mmdet.DiceLoss', naive_dice=True, eps=1.0, loss_weight=5.0
        ),
    ),
    panoptic_fusion_head=dict(type='mmdet.MaskFormerFusionHead'),
    train_cfg=dict(
        _delete_=True,
        num_points=num_points,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
        assigner=dict(
            type='mmdet.HungarianAssigner',
            match_costs=[
                dict(type='mmdet.ClassificationCost', weight=2.0),
                dict(type='mmdet.CrossEntropyLossCost', weight=5.0),
                dict(type='mmdet.DiceCost', weight=5.0, pred_act=True, eps=1),
            ],
        ),
        sampler=dict(type='mmdet.MaskPseudoSampler'),
    ),
)

# Losses and costs as published.
tiny_maskformer = dict(
    panoptic_head=dict(
        type='mmseg_plugin.MaskFormerHead',
        pixel_decoder=dict(type='mmdet.PixelDecoder', _delete_=True),
        loss_cls=dict(loss_weight=1.0),
        loss_mask=dict(
            type='mmseg_plugin.DenseMaskLoss',
            alpha=0.25,
            gamma=2.0,
            mask_weight=20.0,
            dice_weight=1.0,
            _delete_=True,
        ),
    ),
    train_cfg=dict(
        assigner=dict(
            num_points=None,
            costs=[
                dict(type='mmseg_plugin.SoftmaxClassCost', weight=1.0),
                dict(type='mmseg_plugin.MaskFocalCost', weight=20.0),
                dict(type='mmseg_plugin.MaskDiceCost', weight=1.0),
            ],
        )
    ),
)

mobilenet_v2 = dict(
    _delete_=True,
    type='mmdet.MobileNetV2',
    out_indices=(1, 2, 4, 6),
    frozen_stages=2,
    norm_eval=True,
    init_cfg=dict(
        type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'
    ),
)
