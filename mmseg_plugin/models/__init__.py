"""Importing this package registers every model part of the plugin."""

from . import (
    backbones,
    criterions,
    decode_heads,
    dense_heads,
    detectors,
    fusion,
    layers,
    losses,
    necks,
    roi_heads,
    task_modules,
)

__all__ = [
    'backbones',
    'criterions',
    'decode_heads',
    'dense_heads',
    'detectors',
    'fusion',
    'layers',
    'losses',
    'necks',
    'roi_heads',
    'task_modules',
]
