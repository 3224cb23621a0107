"""Mask DINO for panoptic segmentation, ResNet-50."""

_base_ = ['./maskdino_r50.py', './maskdino_panoptic.py']
model = _base_.maskdino_panoptic
