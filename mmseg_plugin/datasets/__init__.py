from mmseg_plugin.datasets.category_crop_pairs import (
    CategoryCropPairs,
    collate_pairs,
)
from mmseg_plugin.datasets.street_panoptic import (
    CityscapesPanopticDataset,
    MapillaryInstanceDataset,
    MapillaryPanopticDataset,
)

__all__ = [
    'CategoryCropPairs',
    'CityscapesPanopticDataset',
    'MapillaryInstanceDataset',
    'MapillaryPanopticDataset',
    'collate_pairs',
]
