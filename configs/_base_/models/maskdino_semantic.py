"""Mask DINO for semantic segmentation in mmdet; all classes are stuff.

The config that uses it gives their number.
"""

_base_ = ['./maskdino_r50.py', './swin-l.py']

model = dict(
    panoptic_head=dict(_base_.maskdino_semantic_head, _delete_=True),
    panoptic_fusion_head=dict(use_sigmoid=False),
    test_cfg=dict(instance_on=False, semantic_on=True),
)
swin_l_model = dict(
    backbone=dict(_base_.swin_l, _delete_=True),
    panoptic_head=_base_.maskdino_semantic_large,
)
