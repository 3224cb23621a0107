"""Images and label PNGs, of whatever format the images are."""

from __future__ import annotations

from pathlib import Path

from mmseg_plugin.datasets.formats.label_maps import label_pairs
from mmseg_plugin.datasets.semantic import SemanticDataset
from mmseg_plugin.registry import DATASETS


@DATASETS.register_module()
class LabelMapDataset(SemanticDataset):
    """Folders of images of any format, and of a PNG for each of them.

    ``data_prefix`` has ``img_path`` and ``seg_map_path``, folders that may
    hold folders. A map is named as its image, or with ``_mask`` or the like
    at its end. ``ann_file`` is a text file that names one image a line;
    without it all of the folder are taken.

    Takes the arguments of :class:`SemanticDataset` but the suffixes.
    """

    def load_data_list(self) -> list[dict]:
        """One entry an image.

        Raises:
            FileNotFoundError: an image to train on has no map.
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
                'img_path': str(images / image),
                'seg_map_path': str(maps / label),
                'label_map': self.label_map,
                'reduce_zero_label': False,
                'seg_fields': [],
            }
            for image, label in pairs
        ]
