"""An annotation file as columns, so that checks are a few array operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from mmseg_plugin.checks.images import ImageFacts, read_facts
from mmseg_plugin.checks.maps import MapFacts, read_maps
from mmseg_plugin.checks.polygons_table import Polygons, polygon_table
from mmseg_plugin.checks.runs import is_sound
from mmseg_plugin.checks.topology import Topology, topology

# Kinds of `segmentation`.
MISSING, EMPTY, POLYGONS, RLE, BROKEN = range(5)


@dataclass
class Snapshot:
    """One annotation file, read once.

    Attributes:
        path: the file, or the folder of label maps.
        data: its parsed JSON; checks do not change it.
        kind: ``'instances'``, ``'panoptic'`` or ``'semantic'``.
        image_dir: where the images are; None: they are not looked at.
        seg_dir: where the label maps are.
        reference: the training split, for checks of a validation split.
    """

    path: Path
    data: dict
    kind: str = 'instances'
    image_dir: Path | None = None
    seg_dir: Path | None = None
    reference: Snapshot | None = field(default=None, repr=False)

    @property
    def images(self) -> list[dict]:
        return self.data.get('images') or []

    @property
    def annotations(self) -> list[dict]:
        return self.data.get('annotations') or []

    @property
    def categories(self) -> list[dict]:
        return self.data.get('categories') or []

    @cached_property
    def image_index(self) -> dict:
        """Image id to its place; the last of equal ids counts."""
        return {im.get('id'): i for i, im in enumerate(self.images)}

    @cached_property
    def image_of(self) -> np.ndarray:
        """(N,) place of each annotation's image, -1: there is none."""
        index = self.image_index
        return self._places(
            [index.get(a.get('image_id'), -1) for a in self.annotations]
        )

    @cached_property
    def category_of(self) -> np.ndarray:
        """(N,) place of each annotation's category, -1: there is none."""
        index = {c.get('id'): i for i, c in enumerate(self.categories)}
        return self._places(
            [index.get(a.get('category_id'), -1) for a in self.annotations]
        )

    @staticmethod
    def _places(values: list[int]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(I, 2) width and height of each image as stated; NaN: missing."""
        pairs = [(im.get('width'), im.get('height')) for im in self.images]
        return np.array(pairs, dtype=float).reshape(-1, 2)

    @cached_property
    def size_of(self) -> np.ndarray:
        """(N, 2) width and height of each annotation's image."""
        known = np.vstack([self.sizes, [[np.nan, np.nan]]])
        return known[self.image_of]

    @cached_property
    def boxes(self) -> np.ndarray:
        """(N, 4) x, y, width, height in pixels; NaN: no usable box."""
        nothing = (np.nan,) * 4
        rows = [_row(a.get('bbox'), nothing) for a in self.annotations]
        flat = np.fromiter(
            chain.from_iterable(rows), float, count=4 * len(rows)
        )
        return flat.reshape(-1, 4)

    @cached_property
    def areas(self) -> np.ndarray:
        """(N,) stated areas in pixels; NaN: missing."""
        return np.array(
            [_number(a.get('area')) for a in self.annotations], dtype=float
        )

    @cached_property
    def crowd(self) -> np.ndarray:
        """(N,) whether an annotation is a crowd region."""
        return np.array(
            [bool(a.get('iscrowd')) for a in self.annotations], dtype=bool
        )

    @cached_property
    def mask_kind(self) -> np.ndarray:
        """(N,) uint8, the kind of each segmentation."""
        kinds = [_kind(a.get('segmentation')) for a in self.annotations]
        return np.array(kinds, dtype=np.uint8)

    @cached_property
    def polygons(self) -> Polygons:
        """All polygons of the file, one row each."""
        chosen = np.flatnonzero(self.mask_kind == POLYGONS)
        return polygon_table(self.annotations, chosen)

    @cached_property
    def topology(self) -> Topology:
        """Parts and holes of RLE masks."""
        chosen = np.flatnonzero((self.mask_kind == RLE) & ~self.crowd)
        sound = [is_sound(self.annotations[i]['segmentation']) for i in chosen]
        return topology(self.annotations, chosen[np.array(sound, dtype=bool)])

    @cached_property
    def facts(self) -> list[ImageFacts]:
        """What the image files themselves say, in the order of images."""
        folder = self.image_dir or Path()
        names = [str(image.get('file_name')) for image in self.images]
        return read_facts([folder / name for name in names])

    @cached_property
    def maps(self) -> list[MapFacts]:
        """Label maps: of annotations (panoptic) or of images (semantic)."""
        folder = self.seg_dir or self.path.with_suffix('')
        if self.kind == 'panoptic':
            names = [str(a.get('file_name')) for a in self.annotations]
        else:
            names = [str(image['seg_file_name']) for image in self.images]
        return read_maps([folder / name for name in names])

    def objects(self, category: int | None = None) -> np.ndarray:
        """(N,) annotations with image and class, crowds left out."""
        chosen = (self.image_of >= 0) & (self.category_of >= 0) & ~self.crowd
        if category is not None:
            chosen &= self.category_of == category
        return chosen

    def name_annotation(self, index: int) -> str:
        """How the report calls an annotation."""
        annotation = self.annotations[index]
        place = int(self.image_of[index])
        image = self.images[place].get('file_name') if place >= 0 else '?'
        return f'annotation {annotation.get("id", f"#{index}")} of {image}'

    def name_image(self, index: int) -> str:
        return str(self.images[index].get('file_name'))

    def name_category(self, index: int) -> str:
        category = self.categories[index]
        return f'{category.get("name")!r} (id {category.get("id")})'


def _row(box: Sequence | None, nothing: tuple) -> Sequence:
    if not isinstance(box, list | tuple) or len(box) != 4:
        return nothing
    usable = all(type(value) in (int, float) for value in box)
    return box if usable else nothing


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else np.nan


def _kind(value: object) -> int:
    if isinstance(value, list):
        if not any(value):
            return EMPTY
        return POLYGONS if isinstance(value[0], list) else BROKEN
    if isinstance(value, dict):
        return RLE if {'size', 'counts'} <= value.keys() else BROKEN
    return MISSING if value is None else BROKEN
