"""Importing this package registers every model part of the plugin."""

from . import (
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
