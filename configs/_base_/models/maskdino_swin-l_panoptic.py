"""Mask DINO for panoptic segmentation, Swin-L."""

_base_ = ['./maskdino_swin-l.py', './maskdino_panoptic.py']
model = _base_.maskdino_panoptic
