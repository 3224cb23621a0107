"""Annotation files of COCO, their categories in the order of given names."""

import contextlib
import io
import json
import os.path as osp
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOPanoptic
from pycocotools import mask as mask_utils

from mmseg_plugin.datasets.annotation_files import (
    category_ids,
    completed_truth,
    image_sizes,
)
from mmseg_plugin.datasets.panoptic_fields import is_thing
from mmseg_plugin.datasets.panoptic_files import entries_by_image
from mmseg_plugin.datasets.structure import (
    check_structure,
    no_json_as_sentence,
)
from mmseg_plugin.datasets.trainable import check_isthing


class ByName:
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


class InstanceFile(ByName, COCO):
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


class PanopticFile(ByName, COCOPanoptic):
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
