"""Annotations of single images, found by file name."""

import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.transforms.load_panoptic import read_segment_ids


class GroundTruth:
    """A COCO annotation file, of instances or panoptic.

    The maps of a panoptic file ``NAME.json`` are looked for in the folder
    ``NAME`` beside it, as COCO has them.

    Args:
        ann_file: the file.
        classes: names of a model's classes; objects of other categories are
            left out.

    Attributes:
        category_ids: id of each class; classes that the file does not know
            have ids that it does not use.

    Raises:
        UserError: not such a file, or none of its categories is one of
            ``classes``.
    """

    def __init__(self, ann_file: Path, classes: Sequence[str]) -> None:
        try:
            self._index(json.loads(ann_file.read_text()))
        except (AttributeError, KeyError, OSError, TypeError) as error:
            raise UserError(
                f'{ann_file} cannot be read as COCO annotations: {error!r}'
            ) from error
        except ValueError as error:
            raise UserError(f'{ann_file} is not JSON: {error}') from error
        self.maps = ann_file.with_suffix('')
        if self._panoptic and not self.maps.is_dir():
            raise UserError(
                f'{ann_file} is panoptic, but its maps are not in {self.maps}'
            )
        if self._ids.keys().isdisjoint(classes):
            raise UserError(
                f'no category of {ann_file} ({", ".join(list(self._ids)[:5])})'
                f' is a class of the model ({", ".join(classes[:5])})'
            )
        unused = max(self._ids.values()) + 1
        self.category_ids = [
            self._ids.get(name, unused + i) for i, name in enumerate(classes)
        ]

    def _index(self, content: dict) -> None:
        self._ids = {c['name']: c['id'] for c in content['categories']}
        self._images: dict[str, list[dict]] = {}
        for image in content['images']:
            name = Path(image['file_name']).name
            self._images.setdefault(name, []).append(image)
        self._panoptic = {
            ann['image_id']: ann
            for ann in content['annotations']
            if 'segments_info' in ann
        }
        if not self._panoptic:
            self._coco = COCO()
            self._coco.dataset = content
            with contextlib.redirect_stdout(io.StringIO()):
                self._coco.createIndex()

    def find(self, path: Path) -> int | str | None:
        """Id of an image file; None if it is not annotated.

        Args:
            path: it ends with the annotated ``file_name``.
        """
        whole = path.resolve().as_posix()
        for image in self._images.get(path.name, []):
            if whole.endswith('/' + image['file_name']):
                return image['id']
        return None

    def segments(self, image_id: int | str) -> list[Segment]:
        """Annotated objects, or all segments, of an image.

        Raises:
            UserError: the image's panoptic map cannot be read.
        """
        if not self._panoptic:
            annotations = self._coco.imgToAnns[image_id]
            masks = map(self._coco.annToMask, annotations)
            return self._known(annotations, [m.astype(bool) for m in masks])
        panoptic = self._panoptic[image_id]
        path = self.maps / panoptic['file_name']
        try:
            ids = read_segment_ids(str(path))
        except (OSError, ValueError) as error:
            raise UserError(f'map {path} cannot be read: {error}') from error
        infos = panoptic['segments_info']
        return self._known(infos, [ids == info['id'] for info in infos])

    def _known(
        self, annotations: list[dict], masks: list[np.ndarray]
    ) -> list[Segment]:
        segments = []
        for ann, mask in zip(annotations, masks, strict=True):
            if ann['category_id'] in self.category_ids:
                label = self.category_ids.index(ann['category_id'])
                x, y, w, h = ann['bbox']
                box = np.array([x, y, x + w, y + h], float)
                segments.append(Segment(label, mask, box))
        return segments
