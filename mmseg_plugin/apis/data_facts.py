"""What a config is chosen from: classes, sizes and numbers of the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmseg_plugin.checks import Snapshot
from mmseg_plugin.checks.balance import objects_of_images
from mmseg_plugin.checks.categories import is_root
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.formats import DataFound
from mmseg_plugin.datasets.formats.label_maps import LABEL_MAP_VOID
from mmseg_plugin.datasets.formats.layout import DataError, below
from mmseg_plugin.datasets.panoptic_fields import is_thing
from mmseg_plugin.utils.words import counted, some_of


@dataclass(frozen=True)
class SplitFacts:
    """One split, relative to the root.

    Attributes:
        ann_file: JSON of COCO, or a list of images with label maps; ``''``:
            all images of the folder.
        image_dir: of the images, ``''`` for the root itself.
        seg_dir: of label maps.
    """

    ann_file: str
    image_dir: str
    seg_dir: str = ''


@dataclass(frozen=True)
class DataFacts:
    """What a config is chosen from.

    Attributes:
        root: folder of the data.
        kind: ``'instances'``, ``'panoptic'`` or ``'semantic'``.
        things: names of the classes of objects, in the order of the file;
            of semantic data all classes.
        stuff: names of the classes of regions.
        images: how many are trained on.
        tested: how many are validated on.
        densest: objects, or segments, of the fullest image.
        objects: of all images that are trained on.
        usual_side: longer side of the median image, in pixels.
        longest_side: of the largest image, in pixels.
        object_side: square root of the area of the median object, in
            pixels; 0 of semantic data.
        train: the training split.
        val: the validation split.
    """

    root: Path
    kind: str
    things: tuple[str, ...]
    stuff: tuple[str, ...]
    images: int
    tested: int
    densest: int
    objects: int
    usual_side: int
    longest_side: int
    object_side: float
    train: SplitFacts
    val: SplitFacts

    def sentence(self) -> str:
        """Numbers and classes, for the user."""
        names = self.things + self.stuff
        said = f'{counted(self.images, "training image")} with '
        if self.kind == 'semantic':
            said += 'label maps'
        else:
            noun = 'object' if self.kind == 'instances' else 'segment'
            said += f'{counted(self.objects, noun)}, at most {self.densest}'
            said += ' in one'
        return (
            f'{said}; {counted(self.tested, "validation image")}; '
            f'{counted(len(names), "class")}: {some_of(names)}'
        )


def data_facts(found: DataFound, snapshots: dict[str, Snapshot]) -> DataFacts:
    """Measures the training split.

    Raises:
        UserError: things and stuff are mixed in the list of categories, or
            there is nothing to train on.
    """
    train = snapshots['train']
    things, stuff = _classes(found, snapshots)
    counts, areas = _objects(train)
    if not counts.any():
        raise UserError(f'{train.path} has no object to train on')
    sides = _longer_sides(train)
    return DataFacts(
        root=found.root,
        kind=found.kind,
        things=things,
        stuff=stuff,
        images=int(np.count_nonzero(counts)),
        tested=len(snapshots['val'].images),
        densest=int(counts.max()),
        objects=int(counts.sum()),
        usual_side=round(float(np.median(sides))),
        longest_side=int(sides.max()),
        object_side=float(np.median(areas)) ** 0.5 if len(areas) else 0.0,
        train=_relative(found, 'train'),
        val=_relative(found, 'val'),
    )


def _classes(
    found: DataFound, snapshots: dict[str, Snapshot]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    train = snapshots['train']
    if train.kind == 'semantic':
        return found.classes or _numbered(list(snapshots.values())), ()
    roots = is_root(train) if train.kind == 'instances' else None
    categories = [
        category
        for place, category in enumerate(train.categories)
        if roots is None or not roots[place]
    ]
    for category in categories:
        if not isinstance(category.get('name'), str):
            raise UserError(
                f'{train.path}: category {category.get("id")} has no name; '
                'write one in quotes'
            )
    things = [c['name'] for c in categories if is_thing(c)]
    stuff = [c['name'] for c in categories if not is_thing(c)]
    if [c['name'] for c in categories] != things + stuff:
        raise UserError(
            f'{train.path}: list the categories that are things before stuff'
        )
    return tuple(things), tuple(stuff)


def _numbered(snapshots: list[Snapshot]) -> tuple[str, ...]:
    """Names of classes that no file gives."""
    values = {v for s in snapshots for fact in s.maps for v in fact.areas}
    largest = max(values - {LABEL_MAP_VOID}, default=0)
    return tuple(f'class {number}' for number in range(largest + 1))


def _objects(train: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    """Objects of each image, and the areas of all."""
    if train.kind == 'semantic':
        return np.ones(len(train.images), int), np.empty(0)
    if train.kind == 'panoptic':
        segments = [a.get('segments_info') or () for a in train.annotations]
        areas = [s.get('area') or 0 for part in segments for s in part]
        return np.array([len(part) for part in segments]), np.array(areas)
    areas = train.areas[train.objects()]
    return objects_of_images(train), areas[areas > 0]


def _longer_sides(train: Snapshot) -> np.ndarray:
    if train.kind == 'semantic':
        sizes = [fact.shown for fact in train.facts if not fact.problem]
        return np.array(sizes).max(1)
    sides = train.sizes.max(1)
    return sides[~np.isnan(sides)]


def _relative(found: DataFound, name: str) -> SplitFacts:
    split = found.splits[name]

    def inside(path: Path | None) -> str:
        try:
            text = '.' if path is None else below(path, found.root).as_posix()
        except DataError as error:
            raise UserError(str(error)) from error
        return '' if text == '.' else text

    ann_file = inside(split.ann_file or split.names)
    return SplitFacts(ann_file, inside(split.image_dir), inside(split.seg_dir))
