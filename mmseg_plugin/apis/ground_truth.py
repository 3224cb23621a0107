"""Annotations of single images, found by file name."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

from mmseg_plugin.apis.image_index import ImageIndex
from mmseg_plugin.apis.segments import Segment, box_of
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.transforms.load_panoptic import read_segment_ids

# Fewer numbers are a point or a line.
_LEAST_POLYGON = 6


class GroundTruth:
    """A COCO annotation file, of instances or panoptic.

    Objects need no mask, no box, no area and no id: what is missing is made
    from the rest, and an object with neither mask nor box is left out.

    Args:
        ann_file: the file.
        classes: names of a model's classes; objects of other categories are
            left out.
        folder: where the images lie, if that is known.
        anywhere: whether images may lie elsewhere too; see
            :class:`ImageIndex`.
        maps: folder of the maps of a panoptic file; None looks for
            those of ``NAME.json`` in the folder ``NAME`` beside it, as COCO
            has them.

    Attributes:
        category_ids: id of each class; classes that the file does not know
            have ids that it does not use.

    Raises:
        UserError: not such a file, none of its categories is one of
            ``classes``, or two have one name.
    """

    def __init__(
        self,
        ann_file: Path,
        classes: Sequence[str],
        folder: Path | None = None,
        anywhere: bool = True,
        maps: Path | None = None,
    ) -> None:
        self.ann_file = ann_file
        try:
            content = json.loads(ann_file.read_text(encoding='utf-8'))
            self._index(content)
            self._images = ImageIndex(content['images'], folder, anywhere)
        except (AttributeError, KeyError, OSError, TypeError) as error:
            raise UserError(
                f'{ann_file} cannot be read as COCO annotations: {error!r}'
            ) from error
        except ValueError as error:
            raise UserError(f'{ann_file} is not JSON: {error}') from error
        self.maps = maps or ann_file.with_suffix('')
        if self._is_panoptic and not self.maps.is_dir():
            raise UserError(
                f'{ann_file} is panoptic, but its maps are not in {self.maps}'
            )
        if self._ids.keys().isdisjoint(classes):
            raise UserError(
                f'no category of {ann_file} ({", ".join(list(self._ids)[:5])})'
                f' is a class of the model ({", ".join(classes[:5])})'
            )
        numbers = [i for i in self._ids.values() if isinstance(i, int)]
        unused = max(numbers, default=-1) + 1
        self.category_ids = [
            self._ids.get(name, unused + i) for i, name in enumerate(classes)
        ]

    def _index(self, content: dict[str, Any]) -> None:
        self._ids: dict[str, Any] = {}
        for category in content['categories']:
            name, number = str(category['name']), category['id']
            if self._ids.setdefault(name, number) != number:
                raise UserError(
                    f'{self.ann_file} has two categories {name!r}, ids '
                    f'{self._ids[name]} and {number}: give one another name'
                )
        annotations = content['annotations']
        self._is_panoptic = any('segments_info' in a for a in annotations)
        self._annotations: dict[int | str, list[dict]] = {}
        for annotation in annotations:
            image = annotation['image_id']
            self._annotations.setdefault(image, []).append(annotation)

    def find(
        self, path: Path, size: tuple[int, int] | None = None
    ) -> int | str | None:
        """Id of an image file; None if it is not annotated.

        Args:
            path: of the image.
            size: its height and width; None does not compare sizes.
        """
        found = self._images.find(path, size)
        return None if found is None else found['id']

    def segments(
        self, image_id: int | str, size: tuple[int, int]
    ) -> list[Segment]:
        """Annotated objects, or all segments, of an image.

        Args:
            image_id: see :meth:`find`.
            size: height and width of the image.

        Raises:
            UserError: a mask or the image's panoptic map cannot be read, or
                is of another size.
        """
        annotations = self._annotations.get(image_id, [])
        if not self._is_panoptic:
            masks = [self._mask(a, size) for a in annotations]
            return self._known(annotations, masks)
        if not annotations:
            return []
        path = self.maps / annotations[0]['file_name']
        try:
            ids = read_segment_ids(str(path))
        except (OSError, ValueError) as error:
            raise UserError(f'map {path} cannot be read: {error}') from error
        if ids.shape != tuple(size):
            raise UserError(
                f'map {path} is {ids.shape[1]}x{ids.shape[0]} pixels, its '
                f'image {size[1]}x{size[0]}'
            )
        infos = annotations[0]['segments_info']
        return self._known(infos, [ids == info['id'] for info in infos])

    def _mask(self, annotation: dict, size: tuple[int, int]) -> Any:
        """The mask of an object, bool of this size; None without one."""
        try:
            return read_mask(annotation.get('segmentation'), size)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f'{self.ann_file}: annotation {annotation.get("id")} of image '
                f'{annotation["image_id"]} has a mask that cannot be read: '
                f'{error}'
            ) from error

    def _known(
        self, annotations: list[dict], masks: Sequence[np.ndarray | None]
    ) -> list[Segment]:
        segments = []
        for ann, mask in zip(annotations, masks, strict=True):
            if ann['category_id'] not in self.category_ids:
                continue
            label = self.category_ids.index(ann['category_id'])
            if mask is not None and not mask.any():
                mask = None
            box = read_box(ann.get('bbox'))
            if box is None and mask is not None:
                box = box_of(mask)
            if box is not None:
                segments.append(Segment(label, mask, box))
        return segments


def read_box(bbox: Any) -> np.ndarray | None:
    """x1, y1, x2, y2 of a COCO box; None if it is none."""
    try:
        x, y, width, height = (float(value) for value in bbox)
    except (TypeError, ValueError):
        return None
    box = np.array([x, y, x + width, y + height])
    return box if np.isfinite(box).all() else None


def read_mask(segmentation: Any, size: tuple[int, int]) -> np.ndarray | None:
    """The mask that a COCO ``segmentation`` describes.

    Args:
        segmentation: polygons, RLE, or nothing at all.
        size: height and width of the image.

    Returns:
        Shape ``size``, bool; None without a mask, as of polygons with fewer
        than three points.

    Raises:
        ValueError: an RLE of another size.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        rle = _checked(segmentation, size)
        return mask_utils.decode(rle).astype(bool)
    polygons = segmentation
    if all(isinstance(value, int | float) for value in polygons):
        polygons = [polygons]
    polygons = [
        p for p in polygons if len(p) >= _LEAST_POLYGON and len(p) % 2 == 0
    ]
    if not polygons:
        return None
    rles = mask_utils.frPyObjects(polygons, *size)
    return mask_utils.decode(mask_utils.merge(rles)).astype(bool)


def _checked(rle: dict, size: tuple[int, int]) -> dict:
    """Compressed RLE whose size and runs are those of the image."""
    if list(rle['size']) != list(size):
        raise ValueError(
            f'its RLE is {rle["size"][1]}x{rle["size"][0]} pixels, its image '
            f'{size[1]}x{size[0]}'
        )
    if isinstance(rle['counts'], list):
        if sum(rle['counts']) != size[0] * size[1]:
            raise ValueError(
                f'the runs of its RLE add up to {sum(rle["counts"])}, not to '
                f'{size[0]} x {size[1]}'
            )
        return mask_utils.frPyObjects(rle, *size)
    return rle
