"""Mask DINO for mmseg; the config that uses it gives num_classes."""

_base_ = ['./segmentor_r50.py', './maskdino_head.py', './swin-l.py']

model = dict(
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        head=dict(
            _base_.maskdino_semantic_head,
            train_cfg=dict(assigner=_base_.maskdino_assigner),
        ),
    ),
)
maskdino_segmentor_large = dict(
    backbone=dict(_base_.swin_l, _delete_=True),
    decode_head=dict(head=_base_.maskdino_semantic_large),
)
