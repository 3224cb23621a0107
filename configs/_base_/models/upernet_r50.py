"""UPerNet as in mmseg. The config that uses it gives num_classes."""

_base_ = './segmentor_r50.py'

norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        type='mmseg.ResNetV1c',
        norm_cfg=norm_cfg,
        norm_eval=False,
        init_cfg=dict(checkpoint='open-mmlab://resnet50_v1c'),
    ),
    decode_head=dict(
        type='mmseg.UPerHead',
        in_channels=[256, 512, 1024, 2048],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.1,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
    auxiliary_head=dict(
        type='mmseg.FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', loss_weight=0.4),
    ),
)
