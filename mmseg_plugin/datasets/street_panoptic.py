"""Cityscapes and Mapillary Vistas as panoptic data sets."""

import os.path as osp

from mmengine.fileio import exists

from mmseg_plugin.datasets.coco_by_name import CocoPanopticDataset
from mmseg_plugin.datasets.street_classes import (
    CITYSCAPES_STUFF,
    CITYSCAPES_THINGS,
    MAPILLARY_STUFF,
    MAPILLARY_THINGS,
)
from mmseg_plugin.registry import DATASETS


class PublishedPanopticDataset(CocoPanopticDataset):
    """A published data set that has to be unpacked first.

    Evaluate with ``mmseg_plugin.CocoPanopticMetric`` without ``ann_file``.
    Takes the arguments of :class:`CocoPanopticDataset`.

    Raises:
        FileNotFoundError: the file or a folder is missing; the message says
            how to get them.
    """

    PREPARATION = ''

    def load_data_list(self) -> list[dict]:
        """Reads the annotation file."""
        places = [self.ann_file, *filter(None, self.data_prefix.values())]
        missing = [path for path in places if not exists(path)]
        if missing:
            raise FileNotFoundError(
                f'{type(self).__name__} lacks {", ".join(missing)}. '
                f'{self.PREPARATION}'
            )
        return super().load_data_list()


def _metainfo(things: dict[str, tuple], stuff: dict[str, tuple]) -> dict:
    return {
        'classes': (*things, *stuff),
        'thing_classes': tuple(things),
        'stuff_classes': tuple(stuff),
        'palette': [*things.values(), *stuff.values()],
    }


@DATASETS.register_module()
class CityscapesPanopticDataset(PublishedPanopticDataset):
    """Cityscapes: 8 thing and 11 stuff classes.

    As its own tools lay it out: ``leftImg8bit/train/aachen/...png`` and, from
    ``createPanopticImgs``, ``gtFine/cityscapes_panoptic_train.json`` beside
    ``gtFine/cityscapes_panoptic_train/...png``.
    """

    METAINFO = _metainfo(CITYSCAPES_THINGS, CITYSCAPES_STUFF)
    PREPARATION = (
        'Unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip '
        'from cityscapes-dataset.com into data_root, pip install '
        'cityscapesscripts, and run CITYSCAPES_DATASET=<data_root> '
        'csCreatePanopticImgs'
    )

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Finds the image by its name."""
        info = super().parse_data_info(raw_data_info)
        name = info['img_id']
        info['img_path'] = osp.join(
            self.data_prefix['img'],
            name.split('_')[0],
            f'{name}_leftImg8bit.png',
        )
        return info

    def map_path(self, image: dict) -> str:
        """By the name of the image, like the image itself."""
        return osp.join(
            self.data_prefix['seg'], f'{image["id"]}_gtFine_panoptic.png'
        )


@DATASETS.register_module()
class MapillaryPanopticDataset(PublishedPanopticDataset):
    """Mapillary Vistas 1.2: 37 thing and 28 stuff classes.

    As it is distributed: ``training/images/...jpg`` and
    ``training/panoptic/...png`` with ``panoptic_2018.json``.
    """

    METAINFO = _metainfo(MAPILLARY_THINGS, MAPILLARY_STUFF)
    PREPARATION = (
        'Unpack Mapillary Vistas 1.2 (mapillary-vistas-dataset_public_v1.2, '
        'from mapillary.com/dataset/vistas) into data_root'
    )


@DATASETS.register_module()
class MapillaryInstanceDataset(MapillaryPanopticDataset):
    """The 37 thing classes of Mapillary Vistas 1.2, from the panoptic files.

    Evaluate with ``mmseg_plugin.CocoInstanceMetric`` without ``ann_file``,
    after
    ``LoadPanopticAnnotations(with_seg=False, with_rle=True)``. Crowds are no
    ground truth.
    """

    METAINFO = _metainfo(MAPILLARY_THINGS, {})
