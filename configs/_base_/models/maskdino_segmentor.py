"""Mask DINO for mmseg; the config that uses it gives num_classes.

As maskdino_semantic.py. `model = _base_.segmentor_swin_l` puts Swin-L in.
"""

_base_ = './maskdino_semantic.py'

model = dict(
    _delete_=True,
    type='mmseg_plugin.EncoderDecoder',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        test_cfg=dict(size_divisor=32),
    ),
    backbone=dict(
        type='mmseg.ResNet',
        depth=50,
        norm_cfg=dict(type='BN', requires_grad=False),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        head=dict(_base_.semantic_head, train_cfg=_base_.model.train_cfg),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
segmentor_swin_l = dict(
    backbone=_base_.swin_l,
    decode_head=dict(head=_base_.swin_l_semantic_head),
)
