"""Annotations of single images, found by file name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmseg_plugin.apis.image_index import ImageIndex
from mmseg_plugin.apis.segments import Segment, box_of
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.annotation_files import (
    category_ids,
    listed_annotations,
)
from mmseg_plugin.datasets.annotations import (
    is_crowd,
    object_box,
    object_mask,
    place,
)
from mmseg_plugin.datasets.panoptic_files import (
    check_present,
    entries_by_image,
    read_segment_ids,
)
from mmseg_plugin.datasets.structure import read_json


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
            ``classes``, two have one name, or an annotation is of none.
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
            content = read_json(str(ann_file))
        except OSError as error:
            raise UserError(
                f'{ann_file} cannot be read: {error.strerror}'
            ) from error
        except ValueError as error:
            raise UserError(str(error)) from error
        try:
            self._index(content)
            self._images = ImageIndex(content['images'], folder, anywhere)
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(
                f'{ann_file} cannot be read as COCO annotations: {error!r}'
            ) from error
        except ValueError as error:
            raise UserError(str(error)) from error
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
        # Names that the file lacks get ids that it does not use.
        ids = category_ids(content, ann_file, classes)
        self.category_ids = [ids[name] for name in classes]

    def _index(self, content: dict[str, Any]) -> None:
        self._ids = category_ids(content, self.ann_file)
        annotations = content['annotations']
        self._is_panoptic = any('segments_info' in a for a in annotations)
        self._annotations: dict[int | str, list[dict]] = {}
        if self._is_panoptic:
            entries = entries_by_image(content, self.ann_file)
            for image in content['images']:
                if image['id'] in entries:
                    # As the data set finds maps that have no name.
                    name = Path(image['file_name']).with_suffix('.png')
                    entry = {'file_name': str(name), **entries[image['id']]}
                    self._annotations[image['id']] = [entry]
            return
        for annotation in listed_annotations(content, self.ann_file):
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
            return self._objects(annotations, size)
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
        infos = [
            info
            for info in annotations[0]['segments_info']
            if info['category_id'] in self.category_ids
        ]
        masks = [ids == info['id'] for info in infos]
        pairs = zip(infos, masks, strict=True)
        lacking = [
            info['id']
            for info, mask in pairs
            if not mask.any() and info.get('area') != 0
        ]
        try:
            check_present(str(path), lacking, np.zeros(0, int))
        except ValueError as error:
            raise UserError(str(error)) from error
        return self._known(infos, masks, [str(path)] * len(infos))

    def _objects(
        self, annotations: list[dict], size: tuple[int, int]
    ) -> list[Segment]:
        places = [place(self.ann_file, a) for a in annotations]
        try:
            masks = [
                object_mask(annotation, size, where)
                for annotation, where in zip(annotations, places, strict=True)
            ]
        except ValueError as error:
            raise UserError(str(error)) from error
        return self._known(annotations, masks, places)

    def _known(
        self,
        annotations: list[dict],
        masks: Sequence[np.ndarray | None],
        places: Sequence[str],
    ) -> list[Segment]:
        segments = []
        for ann, mask, where in zip(annotations, masks, places, strict=True):
            if ann.get('category_id') not in self.category_ids:
                continue
            label = self.category_ids.index(ann['category_id'])
            if mask is not None and not mask.any():
                mask = None
            try:
                crowd = is_crowd(ann, where)
                bbox = object_box(ann, None, where)
            except ValueError as error:
                raise UserError(str(error)) from error
            if bbox is not None:
                x, y, width, height = map(float, bbox)
                box = np.array([x, y, x + width, y + height])
            elif mask is not None:
                box = box_of(mask)
            else:
                continue
            segments.append(Segment(label, mask, box, crowd=crowd))
        return segments
