"""Mask DINO with ResNet-50, as published for COCO instances.

The config that uses it gives the numbers of classes.

Source: MaskDINO 3831d85, configs/coco/instance-segmentation/
maskdino_R50_bs16_50ep_3s_dowsample1_2048.yaml.
"""

num_points = 12544

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
    panoptic_head=dict(
        type='mmseg_plugin.MaskDINOHead',
        in_channels=[256, 512, 1024, 2048],
        feat_channels=256,
        out_channels=256,
        num_queries=300,
        initialize_box_type='mask2box',
        pixel_decoder=dict(
            type='mmseg_plugin.MaskDINOEncoder',
            num_encoder_levels=3,
            num_extra_levels=1,
            feature_order='low2high',
            num_layers=6,
            feedforward_channels=2048,
        ),
        transformer_decoder=dict(num_layers=9, feedforward_channels=2048),
        denoising=dict(num_queries=100, label_noise=0.2, box_noise=0.4),
        loss_cls=dict(type='mmseg_plugin.QueryFocalLoss', loss_weight=4.0),
        loss_mask=dict(
            type='mmseg_plugin.PointMaskLoss',
            num_points=num_points,
            mask_weight=5.0,
            dice_weight=5.0,
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
                dict(type='mmseg_plugin.MaskBCECost', weight=5.0),
                dict(type='mmseg_plugin.MaskDiceCost', weight=5.0),
                dict(type='mmseg_plugin.BoxL1Cost', weight=5.0),
                dict(type='mmseg_plugin.BoxGIoUCost', weight=2.0),
            ],
        )
    ),
    test_cfg=dict(panoptic_on=False, instance_on=True, max_per_image=100),
)
