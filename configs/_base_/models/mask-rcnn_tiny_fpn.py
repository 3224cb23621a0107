"""Mask R-CNN that learns from scratch in minutes on two CPU cores.

A ResNet-18 with a quarter of the channels, anchors from 8 px, few RoIs.
"""

_base_ = './mask-rcnn_r50_fpn.py'

channels = 48

model = dict(
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
            num_convs=2, in_channels=channels, conv_out_channels=channels
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=200, max_per_img=120),
        rcnn=dict(sampler=dict(num=96)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=120)),
)
