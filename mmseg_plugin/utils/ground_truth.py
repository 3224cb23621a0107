"""Annotated instances of single images, found by file name."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from mmseg_plugin.utils.cli import UserError
from mmseg_plugin.utils.segments import Segment


class GroundTruth:
    """A COCO annotation file.

    Args:
        ann_file: the file.
        classes: names of a model's classes; objects of other categories are
            left out.

    Attributes:
        category_ids: id of each class; classes that the file does not know
            have ids that it does not use.

    Raises:
        UserError: not a COCO instances file, or none of its categories is
            one of ``classes``.
    """

    def __init__(self, ann_file: Path, classes: Sequence[str]) -> None:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self.coco = COCO(ann_file)
            ids = {c['name']: c['id'] for c in self.coco.cats.values()}
            is_instances = all('bbox' in a for a in self.coco.anns.values())
        except (
            AssertionError,
            KeyError,
            OSError,
            TypeError,
            ValueError,
        ) as error:
            raise UserError(
                f'{ann_file} cannot be read as COCO annotations: {error!r}'
            ) from error
        if not self.coco.imgs or not is_instances:
            raise UserError(f'{ann_file} holds no COCO instances')
        if ids.keys().isdisjoint(classes):
            raise UserError(
                f'no category of {ann_file} ({", ".join(list(ids)[:5])}) is '
                f'a class of the model ({", ".join(classes[:5])})'
            )
        unused = max(ids.values()) + 1
        self.category_ids = [
            ids.get(name, unused + i) for i, name in enumerate(classes)
        ]
        self._by_name: dict[str, list[dict]] = {}
        for image in self.coco.imgs.values():
            name = Path(image['file_name']).name
            self._by_name.setdefault(name, []).append(image)

    def find(self, path: Path) -> int | str | None:
        """Id of an image file; None if it is not annotated.

        Args:
            path: it ends with the annotated ``file_name``.
        """
        whole = path.resolve().as_posix()
        for image in self._by_name.get(path.name, []):
            if whole.endswith('/' + image['file_name']):
                return image['id']
        return None

    def segments(self, image_id: int | str) -> list[Segment]:
        """Annotated objects of an image."""
        segments = []
        for ann in self.coco.imgToAnns[image_id]:
            if ann['category_id'] in self.category_ids:
                x, y, w, h = ann['bbox']
                label = self.category_ids.index(ann['category_id'])
                box = np.array([x, y, x + w, y + h], float)
                mask = self.coco.annToMask(ann).astype(bool)
                segments.append(Segment(label, mask, box))
        return segments
