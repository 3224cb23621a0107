"""Mask DINO that learns from scratch in minutes on two CPU cores.

A ResNet-18 and a decoder with a quarter of the channels, fewer layers,
queries and points. The config that uses it gives the numbers of classes.
`model = _base_.maskdino_mobilenetv2` is one for photos.
"""

num_points = 400

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
        depth=18,
        base_channels=16,
        stem_channels=16,
        norm_eval=False,
    ),
    panoptic_head=dict(
        type='mmseg_plugin.MaskDINOHead',
        in_channels=[16, 32, 64, 128],
        feat_channels=64,
        out_channels=64,
        num_queries=40,
        # Masks are too poor at first for boxes around them to be a help.
        initialize_box_type='no',
        pixel_decoder=dict(
            type='mmseg_plugin.MaskDINOEncoder',
            num_encoder_levels=3,
            num_extra_levels=0,
            feature_order='high2low',
            num_layers=1,
            num_heads=4,
            feedforward_channels=256,
        ),
        transformer_decoder=dict(
            num_layers=3, num_heads=4, feedforward_channels=256
        ),
        # Fewer noisy targets and shared points: more steps in a minute.
        denoising=dict(num_queries=24, label_noise=0.2, box_noise=0.4),
        loss_cls=dict(type='mmseg_plugin.QueryFocalLoss', loss_weight=4.0),
        loss_mask=dict(
            type='mmseg_plugin.PointMaskLoss',
            num_points=num_points,
            mask_weight=5.0,
            dice_weight=5.0,
            shared_points=True,
        ),
        loss_bbox=dict(
            type='mmseg_plugin.QueryBoxLoss', l1_weight=5.0, iou_weight=2.0
        ),
    ),
    panoptic_fusion_head=dict(
        type='mmseg_plugin.QueryFusionHead', use_sigmoid=True
    ),
    train_cfg=dict(
        assigner=dict(
            type='mmseg_plugin.BatchHungarianAssigner',
            num_points=num_points,
            costs=[
                dict(type='mmseg_plugin.FocalClassCost', weight=4.0),
                dict(type='mmseg_plugin.BoxL1Cost', weight=5.0),
                dict(type='mmseg_plugin.BoxGIoUCost', weight=2.0),
                dict(type='mmseg_plugin.MaskBCECost', weight=5.0),
                dict(type='mmseg_plugin.MaskDiceCost', weight=5.0),
            ],
        )
    ),
    test_cfg=dict(panoptic_on=False, instance_on=True, max_per_image=100),
)

# Instances and one map of things and stuff from one model, as published.
panoptic_test_cfg = dict(
    panoptic_on=True,
    instance_on=True,
    semantic_on=True,
    object_mask_thr=0.25,
    iou_thr=0.8,
    filter_low_score=True,
    temperature=0.06,
)
# With an ImageNet backbone.
maskdino_mobilenetv2 = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.MobileNetV2',
        out_indices=(1, 2, 4, 6),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'
        ),
    ),
    panoptic_head=dict(
        in_channels=[24, 32, 96, 320],
        num_queries=100,
        pixel_decoder=dict(num_layers=2),
        denoising=dict(num_queries=40),
        loss_mask=dict(shared_points=False),
        # Every class is rare at first, or a short run only learns that.
        init_cfg=dict(
            type='Normal',
            std=0.01,
            bias_prob=0.01,
            override=dict(name='cls_embed'),
        ),
    ),
)
