"""Data sets, and what reads annotation files.

The data sets are imported when they are asked for: readers and checks of
files need neither torch nor mmdet, which take seconds.
"""

from typing import Any

NAMES = (
    'CategoryCropPairs',
    'CityscapesPanopticDataset',
    'CocoInstanceDataset',
    'CocoPanopticDataset',
    'LabelMapDataset',
    'MapillaryInstanceDataset',
    'MapillaryPanopticDataset',
    'SemanticDataset',
    'TT100KDataset',
    'collate_pairs',
)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f'module {__name__} has no attribute {name}')
    from mmseg_plugin.datasets import registered

    return getattr(registered, name)
