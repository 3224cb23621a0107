"""Images and label PNGs, of whatever format the images are."""

from __future__ import annotations

import colorsys
import os.path as osp
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from mmseg_plugin.datasets.formats.label_maps import label_pairs
from mmseg_plugin.registry import DATASETS


@DATASETS.register_module()
class LabelMapDataset(BaseDataset):
    """Semantic segmentation: a PNG of class numbers for each image.

    Works with the transforms of mmseg. The PNG is 8-bit grey or has a
    palette; 255 is void.

    Args:
        ann_file: a text file that names one image a line; ``''``: all of
            the folder, and the folders in it.
        data_prefix: ``img_path`` and ``seg_map_path``, folders. A map is
            named as its image, or with ``_mask`` or the like at the end.
        **kwargs: of MMEngine's ``BaseDataset``.
    """

    def __init__(self, ann_file: str = '', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: Any = None) -> dict:
        found = super()._load_metainfo(metainfo)
        classes = found.get('classes') or ()
        if len(classes) > len(found.get('palette') or ()):
            found['palette'] = [_colour(i) for i in range(len(classes))]
        # mmseg's visualizer and metrics read it.
        found.setdefault('label_map', None)
        found.setdefault('reduce_zero_label', False)
        return found

    def load_data_list(self) -> list[dict]:
        """One entry an image.

        Raises:
            FileNotFoundError: an image has no map.
        """
        images = Path(self.data_prefix['img_path'])
        maps = Path(self.data_prefix['seg_map_path'])
        names = Path(self.ann_file) if self.ann_file else None
        pairs = label_pairs(images, maps, names)
        for image, label in pairs:
            if not self.test_mode and not (maps / label).is_file():
                raise FileNotFoundError(
                    f'{images / image} has no label map {maps / label}'
                )
        return [
            {
                'img_path': osp.join(images, image),
                'seg_map_path': osp.join(maps, label),
                'label_map': None,
                'reduce_zero_label': False,
                'seg_fields': [],
            }
            for image, label in pairs
        ]


def _colour(number: int) -> list[int]:
    """Hues a golden angle apart: neighbours are never alike."""
    value = 0.9 if number % 2 else 0.7
    return [
        round(255 * part)
        for part in colorsys.hsv_to_rgb(number * 0.618 % 1, 0.7, value)
    ]
