"""Cityscapes and Mapillary Vistas as panoptic data sets."""

import os.path as osp

from mmdet.datasets import CocoPanopticDataset
from mmdet.datasets.api_wrappers import COCOPanoptic
from mmengine.fileio import exists

from mmseg_plugin.datasets.street_classes import (
    CITYSCAPES_STUFF,
    CITYSCAPES_THINGS,
    MAPILLARY_STUFF,
    MAPILLARY_THINGS,
)
from mmseg_plugin.registry import DATASETS


class _OrderedByName(COCOPanoptic):
    """Gives categories in the order in which their names are asked for."""

    def get_cat_ids(
        self,
        cat_names: tuple[str, ...] = (),
        sup_names: tuple[str, ...] = (),
        cat_ids: tuple[int, ...] = (),
    ) -> list[int]:
        found = super().get_cat_ids(cat_names, sup_names, cat_ids)
        names = {self.cats[i]['name']: i for i in found}
        return [names[name] for name in cat_names if name in names]


class ThingsFirstPanopticDataset(CocoPanopticDataset):
    """COCO panoptic files whose categories come in any order.

    Labels follow the names in the metainfo, things first, as panoptic heads
    need them. mmdet's data set numbers categories as the file does. Evaluate
    with ``mmseg_plugin.CocoPanopticMetric`` without ``ann_file``.

    Takes the arguments of mmdet's ``CocoPanopticDataset``.

    Raises:
        FileNotFoundError: the file or a folder is missing; the message says
            how to get them.
    """

    COCOAPI = _OrderedByName
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
class CityscapesPanopticDataset(ThingsFirstPanopticDataset):
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
        """As mmdet's; finds the files by the name of the image."""
        info = super().parse_data_info(raw_data_info)
        name = info['img_id']
        info['img_path'] = osp.join(
            self.data_prefix['img'],
            name.split('_')[0],
            f'{name}_leftImg8bit.png',
        )
        info['seg_map_path'] = osp.join(
            self.data_prefix['seg'], f'{name}_gtFine_panoptic.png'
        )
        return info


@DATASETS.register_module()
class MapillaryPanopticDataset(ThingsFirstPanopticDataset):
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

    Evaluate with ``mmdet.CocoMetric`` without ``ann_file``, after
    ``LoadPanopticAnnotations(with_seg=False, with_rle=True)``. Crowds are no
    ground truth.
    """

    METAINFO = _metainfo(MAPILLARY_THINGS, {})

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """As mmdet's, without the segments of stuff."""
        segments = [
            segment
            for segment in raw_data_info['raw_ann_info']
            if segment['category_id'] in self.cat2label
        ]
        return super().parse_data_info(
            {**raw_data_info, 'raw_ann_info': segments}
        )
