"""COCO's instance and panoptic files; names alone tie labels to categories."""

import os.path as osp
import pickle
from collections.abc import Iterable
from functools import partial

from mmdet.datasets import CocoDataset
from mmdet.datasets import CocoPanopticDataset as _CocoPanopticDataset

from mmseg_plugin.datasets.coco_index import InstanceFile, PanopticFile
from mmseg_plugin.datasets.never_empty import NeverEmpty
from mmseg_plugin.datasets.panoptic_files import (
    completed_segments,
    needs_map,
    read_segment_ids,
)
from mmseg_plugin.datasets.structure import (
    check_inside,
)
from mmseg_plugin.datasets.trainable import check_trainable
from mmseg_plugin.registry import DATASETS
from mmseg_plugin.utils.memory import release_memory, without_collection


class _Compact(NeverEmpty):
    """Leaves little behind of the file once it is read.

    mmdet keeps which images have a class, in numbers that were made while
    the file was read. Spread over the memory of all its objects, they keep
    that from being given back: 250 MB for a file of 40 MB.
    """

    cat_img_map: dict[int, list[int]]

    def load_data_list(self) -> list[dict]:
        """Reads the annotation file; all it names is where the data are."""
        infos = super().load_data_list()
        keys = ('img_path', 'seg_map_path')
        check_inside(
            (info[key] for info in infos for key in keys if info.get(key)),
            (self.data_root, *self.data_prefix.values()),
            self.ann_file,
        )
        return infos

    def full_init(self) -> None:
        """Reads the file, then tidies up."""
        if getattr(self, '_fully_initialized', False):
            return
        with without_collection():
            super().full_init()
        self.cat_img_map = {
            number: pickle.loads(pickle.dumps(images))
            for number, images in self.cat_img_map.items()
        }
        release_memory()


def _loads_masks(transforms: Iterable[object]) -> bool:
    return any(getattr(t, 'with_mask', False) for t in transforms)


class _SameSize:
    """A step that refuses images of another size than their masks.

    Args:
        source: the annotation file.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def __call__(self, results: dict) -> dict:
        size = tuple(results.get('ori_shape', ())[:2])
        listed = (results['height'], results['width'])
        if size and size != listed:
            turned = (
                ": if that is its EXIF orientation, set color_type='"
                "color_ignore_orientation' of LoadImageFromFile"
            )
            raise ValueError(
                f'{results["img_path"]} is of {size[0]} x {size[1]} pixels '
                f'(height x width), {self.source} lists it with {listed[0]} '
                f'x {listed[1]}{turned if size == listed[::-1] else ""}'
            )
        return results


@DATASETS.register_module()
class CocoInstanceDataset(_Compact, CocoDataset):
    """COCO instance files, with labels by the names in the metainfo.

    mmdet's data set numbers labels as the file lists its categories. Here
    the file may list them in any order, more of them, or not all. Ids are
    free; missing boxes and areas come from masks, a missing ``iscrowd`` is
    0. A training set says before the first iteration what it cannot teach.

    Takes the arguments of mmdet's ``CocoDataset``.

    Raises:
        ValueError: two categories have one name, no category is a class, an
            annotation is of none of the file's, an RLE or a polygon is
            damaged, an object has neither box nor mask or, where a training
            pipeline loads masks, no mask; a training set has no object to
            learn from, or an image of it is of another size than the file
            says.
    """

    def load_data_list(self) -> list[dict]:
        """Reads the annotation file."""
        masks = None
        if _loads_masks(self.pipeline.transforms):
            masks = 'empty' if self.test_mode else 'needed'
        classes = self.metainfo['classes']
        self.COCOAPI = partial(
            InstanceFile,
            source=self.ann_file,
            classes=classes,
            masks=masks,
        )
        infos = super().load_data_list()
        if not self.test_mode:
            check_trainable(infos, classes, self.ann_file)
            self._compare_sizes()
        return infos

    def _compare_sizes(self) -> None:
        """Puts :class:`_SameSize` before the step that loads masks."""
        steps = self.pipeline.transforms
        for place, step in enumerate(steps):
            if isinstance(step, _SameSize):
                return
            if _loads_masks([step]):
                steps.insert(place, _SameSize(self.ann_file))
                return


class _StuffKept(_CocoPanopticDataset):
    def filter_data(self) -> list[dict]:
        """The images that stay, those of stuff alone among them.

        mmdet takes these for empty; the published mappers of query models
        train on them (Mask2Former, COCOPanopticNewBaselineDatasetMapper).
        """
        options = self.filter_cfg or {}
        if self.test_mode:
            options = {}
        least = options.get('min_size', 0)
        with_empty = not options.get('filter_empty_gt', False)
        return [
            info
            for info in self.data_list
            if min(info['width'], info['height']) >= least
            and (with_empty or info['segments_info'])
        ]


@DATASETS.register_module()
class CocoPanopticDataset(_Compact, _StuffKept):
    """COCO panoptic files, with labels by the names in the metainfo.

    As :class:`CocoInstanceDataset`; things come first in ``classes``, as
    panoptic heads need them. Maps are found by the ``file_name`` of their
    annotation. Segments without box or area get those of the map. For
    ``filter_empty_gt`` an image is empty that has no segment at all.

    Takes the arguments of mmdet's ``CocoPanopticDataset``.

    Raises:
        ValueError: see :class:`CocoInstanceDataset`; a segment has id 0 or
            another's, or is of no category of the file; an image of a
            training set has no entry in ``annotations``.
    """

    def load_data_list(self) -> list[dict]:
        """Reads the annotation file."""
        classes = self.metainfo['classes']
        named = set(self.metainfo.get('thing_classes', ()))
        things = [name for name in classes if name in named]
        self.COCOAPI = partial(
            PanopticFile,
            source=self.ann_file,
            classes=classes,
            things=things,
            training=not self.test_mode,
        )
        infos = super().load_data_list()
        if not self.test_mode:
            check_trainable(infos, classes, self.ann_file, things)
        return infos

    def map_path(self, image: dict) -> str | None:
        """Where the map of an image is, None if it has none.

        Args:
            image: of the file, with ``segm_file``.
        """
        folder = self.data_prefix.get('seg')
        if not folder or image['segm_file'] is None:
            return None
        return osp.join(folder, image['segm_file'])

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """As mmdet's; finds the map, and completes the segments."""
        image = raw_data_info['raw_img_info']
        segments = raw_data_info['raw_ann_info']
        path = self.map_path(image)
        if not self.test_mode and image['segm_file'] is None:
            raise ValueError(
                f'{self.ann_file}: image {image["id"]} '
                f'({image["file_name"]}) has no entry in annotations'
            )
        if needs_map(segments):
            if path is None:
                raise ValueError(
                    f'{self.ann_file}: segments of image {image["id"]} have '
                    'no bbox or area, and there is no map: set seg in '
                    'data_prefix'
                )
            ids = read_segment_ids(path, self.backend_args)
            segments = completed_segments(segments, ids, path)
        info = super().parse_data_info(
            {**raw_data_info, 'raw_ann_info': segments}
        )
        info['seg_map_path'] = path
        return info
