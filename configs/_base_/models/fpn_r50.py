"""Semantic FPN as in mmseg. The config that uses it gives num_classes."""

_base_ = './segmentor_r50.py'

norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        type='mmseg.ResNetV1c',
        norm_cfg=norm_cfg,
        norm_eval=False,
        init_cfg=dict(checkpoint='open-mmlab://resnet50_v1c'),
    ),
    neck=dict(
        type='mmseg.FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=4,
    ),
    decode_head=dict(
        type='mmseg.FPNHead',
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
)
