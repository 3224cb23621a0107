"""Panoptic FCN that learns from scratch in minutes on two CPU cores.

A quarter of the channels, plain convolutions, ResNet-18. The config that uses
it gives the numbers of classes.
"""

_base_ = './panoptic_fcn_r50.py'

channels = 64

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        frozen_stages=-1,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=channels),
    panoptic_head=dict(
        in_channels=channels,
        semantic_fpn=dict(in_channels=channels, out_channels=channels),
        position_head=dict(channels=channels, conv_cfg=_base_.plain),
        kernel_head=dict(channels=channels),
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
    ),
    test_cfg=dict(stuff_area=256),
)
