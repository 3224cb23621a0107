from mmseg_plugin.datasets.category_crop_pairs import (
    CategoryCropPairs,
    collate_pairs,
)

__all__ = ['CategoryCropPairs', 'collate_pairs']
