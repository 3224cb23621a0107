"""Registers all data sets; names are listed in the package."""

# ruff: noqa: F401

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
