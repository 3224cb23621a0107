"""Panoptic FCN that learns from scratch in minutes on two CPU cores.

A quarter of the channels, plain convolutions, ResNet-18. The config that uses
it gives the numbers of classes. `model = _base_.panoptic_fcn_mobilenetv2` has
an ImageNet backbone.
"""

channels = 64
group_norm = dict(type='GN', num_groups=32)

model = dict(
    type='mmseg_plugin.PanopticFCN',
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
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='caffe',
        init_cfg=None,
    ),
    neck=dict(
        type='mmdet.FPN',
        in_channels=[16, 32, 64, 128],
        out_channels=channels,
        add_extra_convs='on_output',
        relu_before_extra_convs=True,
        num_outs=6,
    ),
    panoptic_head=dict(
        type='mmseg_plugin.PanopticFCNHead',
        semantic_fpn=dict(
            type='mmseg_plugin.SemanticFPN',
            in_channels=channels,
            out_channels=channels,
        ),
        in_channels=channels,
        position_head=dict(
            channels=channels, conv_cfg=None, norm_cfg=group_norm
        ),
        kernel_head=dict(channels=channels, norm_cfg=group_norm),
        feature_encoder=dict(channels=32),
        targets=dict(
            instance_scales=[
                (1, 32),
                (16, 64),
                (32, 128),
                (64, 256),
                (128, 1024),
            ]
        ),
        num_kernels=3,
        loss_position=dict(
            type='mmseg_plugin.MapFocalLoss',
            gamma=2.0,
            alpha=0.25,
            loss_weight=1.0,
        ),
        loss_mask=dict(type='mmseg_plugin.WeightedDiceLoss', loss_weight=3.0),
    ),
    panoptic_fusion_head=dict(type='mmseg_plugin.PanopticFCNFusionHead'),
    train_cfg=dict(),
    test_cfg=dict(panoptic_on=True, instance_on=True, stuff_area=256),
)

panoptic_fcn_mobilenetv2 = dict(
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
    neck=dict(in_channels=[24, 32, 96, 320]),
)
