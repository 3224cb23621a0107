"""Mask DINO with ResNet-50 for COCO's instances, as published.

Also values that make it another published model, to assign in a config:
`model = _base_.maskdino_panoptic` and so on. A config for other data gives
the numbers of classes.

Source: MaskDINO 3831d85, configs/coco/instance-segmentation/
maskdino_R50_bs16_50ep_3s_dowsample1_2048.yaml.
"""

num_points = 12544

detection_costs = [
    dict(type='mmseg_plugin.FocalClassCost', weight=4.0),
    dict(type='mmseg_plugin.BoxL1Cost', weight=5.0),
    dict(type='mmseg_plugin.BoxGIoUCost', weight=2.0),
]
coco_things = dict(num_things_classes=80, num_stuff_classes=0)
maskdino_head = dict(
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
)
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
        non_blocking=True,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    panoptic_head=dict(maskdino_head, **coco_things),
    panoptic_fusion_head=dict(
        coco_things, type='mmseg_plugin.QueryFusionHead', use_sigmoid=True
    ),
    train_cfg=dict(
        assigner=dict(
            type='mmseg_plugin.BatchHungarianAssigner',
            num_points=num_points,
            costs=[
                *detection_costs,
                dict(type='mmseg_plugin.MaskBCECost', weight=5.0),
                dict(type='mmseg_plugin.MaskDiceCost', weight=5.0),
            ],
        )
    ),
    test_cfg=dict(panoptic_on=False, instance_on=True, max_per_image=100),
)

# The published one with three levels and a narrower encoder.
maskdino_hid1024 = dict(
    panoptic_head=dict(
        initialize_box_type='bitmask',
        pixel_decoder=dict(
            num_extra_levels=0,
            feature_order='high2low',
            feedforward_channels=1024,
        ),
    )
)

# The published code trains panoptic models with the boxes of stuff too, and
# with the boxes of the encoder's pixels as the decoder's first ones.
panoptic_test_cfg = dict(
    panoptic_on=True,
    instance_on=True,
    semantic_on=True,
    object_mask_thr=0.25,
    iou_thr=0.8,
    filter_low_score=True,
    temperature=0.06,
)
maskdino_panoptic = dict(
    panoptic_head=dict(num_stuff_classes=53, initialize_box_type='no'),
    panoptic_fusion_head=dict(num_stuff_classes=53),
    test_cfg=panoptic_test_cfg,
)

# Swin-L of ImageNet-22k: four backbone levels and one more
# (configs/coco/instance-segmentation/swin/
# maskdino_bs16_50ep_4s_dowsample1_2048.yaml).
swin_l = dict(
    _delete_=True,
    type='mmdet.SwinTransformer',
    pretrain_img_size=384,
    embed_dims=192,
    depths=[2, 2, 18, 2],
    num_heads=[6, 12, 24, 48],
    window_size=12,
    drop_path_rate=0.3,
    convert_weights=True,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://github.com/SwinTransformer/storage/releases/'
        'download/v1.0.0/swin_large_patch4_window12_384_22k.pth',
    ),
)
swin_l_head = dict(
    in_channels=[192, 384, 768, 1536],
    pixel_decoder=dict(num_encoder_levels=4),
)
maskdino_swin_l = dict(
    backbone=swin_l,
    panoptic_head=dict(swin_l_head, initialize_box_type='bitmask'),
)
maskdino_swin_l_panoptic = dict(
    maskdino_panoptic,
    backbone=swin_l,
    panoptic_head=dict(maskdino_panoptic['panoptic_head'], **swin_l_head),
)
# Boxes alone, like DINO, of Objects365's classes.
objects365 = dict(num_things_classes=365, num_stuff_classes=0)
maskdino_swin_l_objects365 = dict(
    backbone=swin_l,
    panoptic_head=dict(
        objects365,
        out_channels=None,
        initialize_box_type='no',
        loss_mask=None,
        **swin_l_head,
    ),
    panoptic_fusion_head=objects365,
    train_cfg=dict(assigner=dict(costs=detection_costs)),
)
# No decay on the norms of Swin-L: `optim_wrapper = _base_.swin_l_optimizer`.
swin_norm = dict(lr_mult=0.1, decay_mult=0.0)
swin_l_optimizer = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone.patch_embed.norm': swin_norm,
            'backbone.norm': swin_norm,
            'relative_position_bias_table': swin_norm,
            **{
                f'backbone.stages.{stage}.blocks.{block}.norm': swin_norm
                for stage, depth in enumerate((2, 2, 18, 2))
                for block in range(depth)
            },
            **{
                f'backbone.stages.{stage}.downsample.norm': swin_norm
                for stage in range(3)
            },
        }
    )
)
