"""Categories: one id and one name for each class."""

import numpy as np

from .findings import Hits, Options, check, hits, listed
from .ids import repeated
from .snapshot import Snapshot

ALL = ('instances', 'panoptic')


def _names(snapshot: Snapshot) -> list[str]:
    return [str(c.get('name')) for c in snapshot.categories]


def used(snapshot: Snapshot) -> np.ndarray:
    """(C,) how many annotations or segments each category has."""
    count = len(snapshot.categories)
    if snapshot.kind == 'panoptic':
        place = {c.get('id'): i for i, c in enumerate(snapshot.categories)}
        rows = [
            place.get(segment.get('category_id'), -1)
            for annotation in snapshot.annotations
            for segment in annotation.get('segments_info') or ()
        ]
        chosen = np.array(rows, dtype=np.int64)
    else:
        chosen = snapshot.category_of
    return np.bincount(chosen[chosen >= 0], minlength=count)


@check(
    'categories.none',
    'error',
    'there are no categories',
    'list them',
    kinds=ALL,
)
def none(snapshot: Snapshot, options: Options) -> Hits:
    return listed([] if snapshot.categories else ['categories'])


@check(
    'categories.same-name',
    'error',
    'categories share a name: labels of the classes after them are shifted',
    'merge them into one id (--fix does)',
    kinds=ALL,
)
def same_name(snapshot: Snapshot, options: Options) -> Hits:
    names = _names(snapshot)
    again = set(np.array(names, dtype=object)[repeated(names)])
    return listed(
        [
            snapshot.name_category(i)
            for i, name in enumerate(names)
            if name in again
        ]
    )


@check(
    'categories.same-id',
    'error',
    'categories share an id',
    'give each its own',
    kinds=ALL,
)
def same_id(snapshot: Snapshot, options: Options) -> Hits:
    ids = [c.get('id') for c in snapshot.categories]
    return hits(repeated(ids), snapshot.name_category)


@check(
    'categories.like-name',
    'warning',
    'names differ by case or blanks alone',
    'write them alike and merge them (--fix does)',
    kinds=ALL,
)
def like_name(snapshot: Snapshot, options: Options) -> Hits:
    by_plain: dict[str, set[str]] = {}
    for name in _names(snapshot):
        by_plain.setdefault(plain(name), set()).add(name)
    return listed(
        [
            ' / '.join(repr(name) for name in sorted(alike))
            for alike in by_plain.values()
            if len(alike) > 1
        ]
    )


def plain(name: str) -> str:
    """A name without the differences that people overlook."""
    return ' '.join(name.lower().replace('_', ' ').split())


@check(
    'categories.root',
    'warning',
    'a root category is listed as if it were a class',
    'take it out (--fix does)',
)
def root(snapshot: Snapshot, options: Options) -> Hits:
    return hits(is_root(snapshot), snapshot.name_category)


def is_root(snapshot: Snapshot) -> np.ndarray:
    """(C,) unused categories that only name the group of the others."""
    groups = {c.get('supercategory') for c in snapshot.categories}
    found = [
        count == 0
        and c.get('supercategory') in (None, '', 'none')
        and c.get('name') in groups
        for c, count in zip(snapshot.categories, used(snapshot), strict=True)
    ]
    return np.array(found, dtype=bool)


@check(
    'categories.unused',
    'note',
    'categories have no object in this file',
    'leave them out of classes, unless another split has them',
    kinds=ALL,
)
def unused(snapshot: Snapshot, options: Options) -> Hits:
    return hits(used(snapshot) == 0, snapshot.name_category)


@check(
    'categories.not-in-file',
    'error',
    'classes of the config are not in the file: later labels are shifted',
    "name the file's categories in metainfo=dict(classes=...)",
    kinds=ALL,
)
def not_in_file(snapshot: Snapshot, options: Options) -> Hits:
    known = set(_names(snapshot))
    return listed([c for c in options.classes or () if c not in known])


@check(
    'categories.order',
    'error',
    'classes of the config stand in another order than in the file: mmdet '
    'takes the order of the file, so that names and labels do not agree',
    "put metainfo's classes into the order of the file",
    kinds=ALL,
)
def order(snapshot: Snapshot, options: Options) -> Hits:
    classes = options.classes or ()
    here = [name for name in _names(snapshot) if name in set(classes)]
    pairs = zip(here, (c for c in classes if c in set(here)), strict=False)
    return listed([f'{a} for {b}' for a, b in pairs if a != b])
