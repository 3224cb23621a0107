"""Registers all data sets."""

from mmseg_plugin.datasets.category_crop_pairs import (
    CategoryCropPairs,
    collate_pairs,
)
from mmseg_plugin.datasets.coco_by_name import (
    CocoInstanceDataset,
    CocoPanopticDataset,
)
from mmseg_plugin.datasets.label_maps import LabelMapDataset
from mmseg_plugin.datasets.semantic import SemanticDataset
from mmseg_plugin.datasets.street_panoptic import (
    CityscapesPanopticDataset,
    MapillaryInstanceDataset,
    MapillaryPanopticDataset,
)
from mmseg_plugin.datasets.tt100k import TT100KDataset

__all__ = [
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
]
