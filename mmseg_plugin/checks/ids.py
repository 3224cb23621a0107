"""Ids of images and annotations."""

from collections.abc import Callable, Sequence

import numpy as np

from .findings import Hits, Options, check, hits
from .snapshot import Snapshot

EXACT = 2**53
ALL = ('instances', 'panoptic')


def repeated(values: Sequence) -> np.ndarray:
    """(N,) whether an equal value stood before."""
    seen: set = set()
    add = seen.add
    if len(set(values)) == len(values):
        return np.zeros(len(values), dtype=bool)
    found = [v in seen or add(v) is not None for v in values]
    return np.array(found, dtype=bool)


def _where(values: Sequence, test: Callable) -> np.ndarray:
    return np.array([test(value) for value in values], dtype=bool)


def _annotation_ids(snapshot: Snapshot) -> list:
    return [annotation.get('id') for annotation in snapshot.annotations]


def _image_ids(snapshot: Snapshot) -> list:
    return [image.get('id') for image in snapshot.images]


@check(
    'ids.image-twice',
    'error',
    'images share an id: the objects of one go to the other',
    'give each image its own id',
    kinds=ALL,
)
def image_twice(snapshot: Snapshot, options: Options) -> Hits:
    return hits(repeated(_image_ids(snapshot)), snapshot.name_image)


@check(
    'ids.annotation-twice',
    'error',
    'annotations share an id: only the last is evaluated',
    'renumber them (--fix does)',
)
def annotation_twice(snapshot: Snapshot, options: Options) -> Hits:
    return hits(repeated(_annotation_ids(snapshot)), snapshot.name_annotation)


@check(
    'ids.annotation-zero',
    'error',
    'an annotation has id 0, which COCO evaluation counts as no match',
    'number them from 1 (--fix does)',
)
def annotation_zero(snapshot: Snapshot, options: Options) -> Hits:
    found = _where(_annotation_ids(snapshot), lambda v: v == 0)
    return hits(found, snapshot.name_annotation)


@check(
    'ids.annotation-missing',
    'error',
    'annotations have no id, or one that is not a whole number',
    'number them from 1 (--fix does)',
)
def annotation_missing(snapshot: Snapshot, options: Options) -> Hits:
    found = _where(
        _annotation_ids(snapshot), lambda v: type(v) is not int or v < 0
    )
    return hits(found, snapshot.name_annotation)


@check(
    'ids.too-large',
    'error',
    'ids are 2^53 or more, where evaluators confuse neighbours',
    'use smaller numbers (--fix does for annotations)',
)
def too_large(snapshot: Snapshot, options: Options) -> Hits:
    def large(value: object) -> bool:
        return type(value) is int and value >= EXACT

    images = np.flatnonzero(_where(_image_ids(snapshot), large))
    found = hits(
        _where(_annotation_ids(snapshot), large), snapshot.name_annotation
    )
    names = tuple(f'image {snapshot.name_image(i)}' for i in images[:5])
    return Hits(found.count + len(images), (found.places + names)[:5])


@check(
    'ids.unknown-image',
    'error',
    'annotations name an image that is not listed',
    'list the image, or take them out (--fix does)',
)
def unknown_image(snapshot: Snapshot, options: Options) -> Hits:
    return hits(snapshot.image_of < 0, snapshot.name_annotation)


@check(
    'ids.unknown-category',
    'error',
    'annotations name a category that is not listed: loaders drop them',
    'list the category, or take them out (--fix does)',
)
def unknown_category(snapshot: Snapshot, options: Options) -> Hits:
    return hits(snapshot.category_of < 0, snapshot.name_annotation)


@check(
    'ids.sparse',
    'note',
    'ids of categories have gaps: programs that index by them are wrong',
    'nothing here; number them 1, 2, 3, ... for other programs',
    kinds=ALL,
)
def sparse(snapshot: Snapshot, options: Options) -> Hits:
    found = [c.get('id') for c in snapshot.categories]
    numbers = sorted({i for i in found if type(i) is int})
    gaps = np.flatnonzero(np.diff(numbers) > 1)
    return hits(gaps, lambda i: f'{numbers[i + 1]} follows {numbers[i]}')
