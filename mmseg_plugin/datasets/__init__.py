from mmseg_plugin.datasets.category_crop_pairs import (
    CategoryCropPairs,
    collate_pairs,
)
from mmseg_plugin.datasets.street_panoptic import (
    CityscapesPanopticDataset,
    MapillaryPanopticDataset,
)

__all__ = [
    'CategoryCropPairs',
    'CityscapesPanopticDataset',
    'MapillaryPanopticDataset',
    'collate_pairs',
]
