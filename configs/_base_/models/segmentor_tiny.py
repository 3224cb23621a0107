"""Segmentor that learns from scratch in minutes; needs a decode head.

``tiny_head`` is the query head of mask2former_tiny.py.
"""

_base_ = './mask2former_tiny.py'

tiny_head = dict(_base_.model.panoptic_head, train_cfg=_base_.model.train_cfg)
model = dict(
    _delete_=True,
    type='mmseg_plugin.EncoderDecoder',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        seg_pad_val=255,
        size_divisor=32,
        test_cfg=dict(size_divisor=32),
    ),
    backbone=_base_.model.backbone,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
