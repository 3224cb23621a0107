"""Mask R-CNN that learns from scratch in minutes on two CPU cores.

A ResNet-18 with a quarter of the channels, anchors from 8 px, few RoIs.
`model = _base_.mask_rcnn_mobilenetv2` has an ImageNet backbone instead, for
up to 300 instances.
"""

_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

channels = 48

model = dict(
    type='mmseg_plugin.MaskRCNN',
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=channels),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        anchor_generator=dict(scales=[2, 3]),
    ),
    roi_head=dict(
        # RoIAlign's samples are most of a step on a CPU: one a bin.
        bbox_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=1),
            out_channels=channels,
            finest_scale=28,
        ),
        bbox_head=dict(in_channels=channels, fc_out_channels=256),
        mask_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=1),
            out_channels=channels,
            finest_scale=28,
        ),
        mask_head=dict(
            type='mmseg_plugin.MultiLossMaskHead',
            num_convs=2,
            in_channels=channels,
            conv_out_channels=channels,
            loss_mask=dict(
                _delete_=True,
                type='mmseg_plugin.LabelSmoothingBCELoss',
                smoothing=0.0,
                loss_weight=1.0,
            ),
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=200, max_per_img=120),
        rcnn=dict(sampler=dict(num=96)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=120)),
)

mask_rcnn_mobilenetv2 = dict(
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
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=1000, max_per_img=500),
        rcnn=dict(max_per_img=300),
    ),
)
