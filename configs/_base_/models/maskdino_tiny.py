"""Mask DINO that learns from scratch in minutes on two CPU cores.

A ResNet-18 and a decoder with a quarter of the channels, fewer layers,
queries and points. The config that uses it gives the numbers of classes.
"""

_base_ = './maskdino_r50.py'

num_points = 400

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmdet.ResNet',
        depth=18,
        base_channels=16,
        stem_channels=16,
        norm_eval=False,
    ),
    panoptic_head=dict(
        in_channels=[16, 32, 64, 128],
        feat_channels=64,
        out_channels=64,
        num_queries=40,
        # Masks are too poor at first for boxes around them to be a help.
        initialize_box_type='no',
        pixel_decoder=dict(
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
        denoising=dict(num_queries=24),
        loss_mask=dict(num_points=num_points, shared_points=True),
    ),
    train_cfg=dict(assigner=dict(num_points=num_points)),
)
