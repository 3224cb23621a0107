"""COCO's instance and panoptic files; names alone tie labels to categories."""

import contextlib
import io
import json
import os.path as osp
import pickle
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.datasets import CocoPanopticDataset as _CocoPanopticDataset
from mmdet.datasets.api_wrappers import COCO, COCOPanoptic
from pycocotools import mask as mask_utils

from mmseg_plugin.datasets.annotation_files import (
    category_ids,
    completed_truth,
    image_sizes,
)
from mmseg_plugin.datasets.never_empty import NeverEmpty
from mmseg_plugin.datasets.panoptic_files import (
    completed_segments,
    entries_by_image,
    is_thing,
    needs_map,
    read_segment_ids,
)
from mmseg_plugin.datasets.structure import (
    check_inside,
    check_structure,
    no_json_as_sentence,
)
from mmseg_plugin.datasets.trainable import check_isthing, check_trainable
from mmseg_plugin.registry import DATASETS
from mmseg_plugin.utils.memory import release_memory, without_collection


class _ByName:
    """Gives categories in the order in which their names are asked for.

    Args:
        local_path: annotation file on this machine.
        source: what it is called in errors.
        classes: names of the data set; those that the file lacks get ids
            that it does not use.
        masks: what happens without a mask: ``'needed'`` refuses, ``'empty'``
            puts an empty one there, None leaves it out.

    Raises:
        ValueError: the file has none of the classes, or something of it
            cannot be read.
    """

    dataset: dict
    imgToAnns: dict[int, list[dict]]
    catToImgs: dict[int, list[int]]
    createIndex: Callable[[], None]

    def __init__(
        self,
        local_path: str,
        source: str,
        classes: Iterable[str],
        masks: str | None = None,
    ) -> None:
        self.source = source
        self.classes = tuple(classes)
        self.masks = masks
        super().__init__()
        # pycocotools stops at the byte-order mark that Windows' tools write.
        with (
            no_json_as_sentence(source),
            open(local_path, encoding='utf-8-sig') as file,
        ):
            self.dataset = json.load(file)
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def _name_categories(self) -> None:
        known = category_ids(self.dataset, self.source)
        self.lacking = [name for name in self.classes if name not in known]
        if len(self.lacking) == len(self.classes):
            raise ValueError(
                f'no category of {self.source} ({", ".join(list(known)[:5])})'
                f' is a class of the data set ({", ".join(self.classes[:5])});'
                ' set classes in its metainfo'
            )
        ids = category_ids(self.dataset, self.source, self.classes)
        self.category_ids = {name: ids[name] for name in self.classes}
        self.wanted = set(self.category_ids.values())
        self.dataset['categories'] = [
            *self.dataset['categories'],
            *({'id': ids[n], 'name': n, 'isthing': 0} for n in self.lacking),
        ]

    def get_cat_ids(
        self,
        cat_names: Iterable[str] = (),
        sup_names: Iterable[str] = (),
        cat_ids: Iterable[int] = (),
    ) -> list[int]:
        """Ids of the named categories, in the order of the names."""
        return [self.category_ids[name] for name in cat_names]


class _InstanceFile(_ByName, COCO):
    def createIndex(self) -> None:
        """Completes the annotations first, and leaves other classes out."""
        check_structure(self.dataset, self.source, named=True)
        self._name_categories()
        annotations = self.dataset.get('annotations', ())
        if any('segments_info' in annotation for annotation in annotations):
            raise ValueError(
                f'{self.source} is a panoptic file: take '
                'mmseg_plugin.CocoPanopticDataset'
            )
        self.dataset = completed_truth(self.dataset, self.source)
        for annotation in self.dataset['annotations']:
            wanted = annotation['category_id'] in self.wanted
            if wanted and not annotation.get('ignore'):
                self._complete(annotation)
        super().createIndex()

    def _complete(self, annotation: dict) -> None:
        where = (
            f'{self.source}: annotation {annotation["file_id"]} of image '
            f'{annotation["image_id"]}'
        )
        if 'bbox' not in annotation:
            raise ValueError(f'{where} has neither a box nor a mask')
        if 'segmentation' in annotation or not self.masks:
            return
        if self.masks == 'needed':
            raise ValueError(
                f'{where} has no mask (its segmentation is missing, empty or '
                'has no polygon of three points): draw it, mark it with '
                '"ignore": 1, or take it out'
            )
        if not hasattr(self, '_sizes'):
            self._sizes = image_sizes(self.dataset, self.source)
        size = self._sizes[annotation['image_id']]
        empty = mask_utils.encode(np.zeros(size, np.uint8, 'F'))
        empty['counts'] = empty['counts'].decode()
        annotation['segmentation'] = empty


class _PanopticFile(_ByName, COCOPanoptic):
    def __init__(
        self, *args: Any, things: Sequence[str], training: bool, **kwargs: Any
    ) -> None:
        self.things = things
        self.training = training
        super().__init__(*args, **kwargs)

    def createIndex(self) -> None:
        """Checks the entries first, and leaves other classes out."""
        check_structure(self.dataset, self.source, named=True)
        stated = {}
        for category in self.dataset.get('categories', ()):
            if (name := category.get('name')) in self.classes:
                # Where the file does not say so, the metainfo does.
                thing = not self.things or name in self.things
                stated[name] = is_thing(category, thing)
                category['isthing'] = int(stated[name])
        self._name_categories()
        check_isthing(stated, self.things, self.source, self.training)
        image_sizes(self.dataset, self.source)
        entries = entries_by_image(self.dataset, self.source)
        for entry in entries.values():
            entry['segments_info'] = [
                dict(segment)
                for segment in entry['segments_info']
                if segment['category_id'] in self.wanted
            ]
        if 'annotations' in self.dataset:
            self.dataset['annotations'] = list(entries.values())
        # It prints that it does.
        with contextlib.redirect_stdout(io.StringIO()):
            super().createIndex()
        for number, image in self.imgs.items():
            name = entries.get(number, {}).get('file_name')
            if name is None and number in entries:
                name = osp.splitext(image['file_name'])[0] + '.png'
            image['segm_file'] = name

    def get_ann_ids(
        self, img_ids: Iterable[int] = (), **_: object
    ) -> list[tuple]:
        """Image and place in its list: segment ids are free in each image."""
        return [
            (image, i)
            for image in img_ids
            for i in range(len(self.imgToAnns.get(image, ())))
        ]

    def load_anns(self, ids: Iterable[tuple]) -> list[dict]:
        """Segments by image and place."""
        return [self.imgToAnns[image][i] for image, i in ids]


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
            _InstanceFile,
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


@DATASETS.register_module()
class CocoPanopticDataset(_Compact, _CocoPanopticDataset):
    """COCO panoptic files, with labels by the names in the metainfo.

    As :class:`CocoInstanceDataset`; things come first in ``classes``, as
    panoptic heads need them. Maps are found by the ``file_name`` of their
    annotation. Segments without box or area get those of the map.

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
            _PanopticFile,
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
