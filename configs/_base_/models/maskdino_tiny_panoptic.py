"""Mask DINO for panoptic segmentation, the demo size."""

_base_ = ['./maskdino_tiny.py', './maskdino_panoptic.py']
model = _base_.maskdino_panoptic
