"""What ``--fix`` changes: one function a kind of finding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from pycocotools import mask as coder

from mmseg_plugin.datasets.annotations import object_rle
from mmseg_plugin.datasets.structure import is_number

from .categories import is_root, plain
from .findings import FIXES, Finding, fixes
from .masks import same_objects
from .runs import is_sound
from .snapshot import Snapshot

# Repairs of masks come before boxes from masks, new numbers last.
ORDER = (
    *('files', 'categories', 'polygons', 'rle', 'exports', 'crowd'),
    *('masks', 'ids', 'panoptic', 'boxes'),
)
_GEOMETRY = ('bbox', 'area')


def fixed_copy(
    snapshot: Snapshot, findings: list[Finding]
) -> tuple[dict, list[str]]:
    """A corrected copy of an annotation file.

    Args:
        snapshot: of the file; it stays as it is.
        findings: what was found there; those that cannot be fixed stay.

    Returns:
        The data, and the ids of what was fixed.
    """
    data = copy.deepcopy(snapshot.data)
    chosen = [f.id for f in findings if f.can_fix]
    chosen.sort(key=lambda name: ORDER.index(name.partition('.')[0]))
    for name in chosen:
        # Each repair looks at what the last one left.
        FIXES[name](replace(snapshot, data=data))
    return data, chosen


def _keep(snapshot: Snapshot, test: Callable[[int, dict], bool]) -> None:
    snapshot.data['annotations'] = [
        a for i, a in enumerate(snapshot.annotations) if test(i, a)
    ]


@fixes('files.missing', 'files.unreadable')
def drop_images(snapshot: Snapshot) -> None:
    good = [not fact.problem for fact in snapshot.facts]
    kept = [im for im, ok in zip(snapshot.images, good, strict=True) if ok]
    known = {image.get('id') for image in kept}
    _keep(snapshot, lambda i, a: a.get('image_id') in known)
    snapshot.data['images'] = kept


@fixes('files.name')
def relative_names(snapshot: Snapshot) -> None:
    for image in snapshot.images:
        name = str(image.get('file_name')).replace('\\', '/')
        folder = f'{snapshot.image_dir}/'
        if name.startswith(folder):
            name = name[len(folder) :]
        elif name.startswith('/') or name[1:2] == ':':
            name = name.rpartition('/')[2]
        image['file_name'] = name


@fixes('files.listed-twice')
def join_images(snapshot: Snapshot) -> None:
    first: dict = {}
    joined = {}
    for image in snapshot.images:
        kept = first.setdefault(image.get('file_name'), image)
        joined[image.get('id')] = kept.get('id')
    snapshot.data['images'] = list(first.values())
    for annotation in snapshot.annotations:
        old = annotation.get('image_id')
        annotation['image_id'] = joined.get(old, old)


@fixes('categories.same-name', 'categories.like-name')
def merge_categories(snapshot: Snapshot) -> None:
    """Classes of one name become one, with the id that objects use most."""
    groups: dict[str, list[int]] = {}
    for place, category in enumerate(snapshot.categories):
        key = plain(str(category.get('name')))
        groups.setdefault(key, []).append(place)
    places = snapshot.category_of
    count = np.bincount(places[places >= 0], minlength=len(groups) + 1)
    count = np.pad(count, (0, len(snapshot.categories)))
    ids = {}
    kept = []
    for group in groups.values():
        chosen = max(group, key=lambda place: count[place])
        kept.append(chosen)
        for place in group:
            ids[snapshot.categories[place]['id']] = snapshot.categories[
                chosen
            ]['id']
    for annotation in _labelled(snapshot):
        old = annotation.get('category_id')
        annotation['category_id'] = ids.get(old, old)
    snapshot.data['categories'] = [
        snapshot.categories[place] for place in sorted(kept)
    ]


def _labelled(snapshot: Snapshot) -> list[dict]:
    """What has a category: annotations, or the segments of panoptic ones."""
    if snapshot.kind != 'panoptic':
        return snapshot.annotations
    return [
        segment
        for annotation in snapshot.annotations
        for segment in annotation.get('segments_info') or ()
    ]


@fixes('categories.root')
def drop_roots(snapshot: Snapshot) -> None:
    found = is_root(snapshot)
    snapshot.data['categories'] = [
        c
        for c, root in zip(snapshot.categories, found, strict=True)
        if not root
    ]


@fixes('ids.unknown-image')
def drop_without_image(snapshot: Snapshot) -> None:
    places = snapshot.image_of
    _keep(snapshot, lambda i, a: places[i] >= 0)


@fixes('ids.unknown-category')
def drop_without_category(snapshot: Snapshot) -> None:
    places = snapshot.category_of
    _keep(snapshot, lambda i, a: places[i] >= 0)


@fixes(
    'ids.annotation-twice',
    'ids.annotation-zero',
    'ids.annotation-missing',
    'ids.too-large',
)
def number_anew(snapshot: Snapshot) -> None:
    for number, annotation in enumerate(snapshot.annotations, 1):
        annotation['id'] = number


@fixes('polygons.short', 'polygons.flat')
def drop_parts(snapshot: Snapshot) -> None:
    table = snapshot.polygons
    good = iter((table.area >= 1e-3).tolist())
    rows = np.unique(table.owner)
    for place in rows:
        annotation = snapshot.annotations[place]
        parts = annotation['segmentation']
        annotation['segmentation'] = [p for p in parts if next(good)]
        _forget(annotation)
    emptied = set(rows.tolist())
    _keep(snapshot, lambda i, a: i not in emptied or bool(a['segmentation']))


def _forget(annotation: dict) -> None:
    """Box and area are those of a mask that changed."""
    for key in _GEOMETRY:
        annotation.pop(key, None)
    _measure(annotation, None)


@fixes('polygons.broken')
def nest_lists(snapshot: Snapshot) -> None:
    def sound(index: int, annotation: dict) -> bool:
        value = annotation.get('segmentation')
        if isinstance(value, list) and value:
            parts = value if isinstance(value[0], list) else [value]
            numbers = [v for part in parts for v in part]
            kinds = set(map(type, numbers))
            if not kinds <= {int, float} or not all(map(is_number, numbers)):
                return False
            if parts is not value:
                annotation['segmentation'] = parts
                _forget(annotation)
            return True
        if isinstance(value, dict):
            return value.keys() >= {'size', 'counts'}
        # Without a mask is another finding.
        return value is None or value == []

    _keep(snapshot, sound)


@fixes('rle.runs', 'rle.empty')
def drop_rles(snapshot: Snapshot) -> None:
    def sound(index: int, annotation: dict) -> bool:
        value = annotation.get('segmentation')
        if not isinstance(value, dict):
            return True
        return is_sound(value) and coder.area(_packed(value)) > 0

    _keep(snapshot, sound)


def _packed(rle: dict) -> dict:
    if isinstance(rle['counts'], list):
        return coder.frPyObjects(rle, *rle['size'])
    return rle


@fixes('masks.missing')
def drop_without_mask(snapshot: Snapshot) -> None:
    _keep(snapshot, lambda i, a: bool(a.get('segmentation')))


@fixes('masks.twice')
def drop_copies(snapshot: Snapshot) -> None:
    found = same_objects(snapshot)
    _keep(snapshot, lambda i, a: not found[i])


@fixes('crowd.missing')
def not_crowd(snapshot: Snapshot) -> None:
    for annotation in snapshot.annotations:
        annotation.setdefault('iscrowd', 0)


@fixes('crowd.all', 'crowd.rle')
def no_crowd(snapshot: Snapshot) -> None:
    for annotation in snapshot.annotations:
        annotation['iscrowd'] = 0


@fixes('exports.crowd-area')
def objects_again(snapshot: Snapshot) -> None:
    for annotation in snapshot.annotations:
        if annotation.get('iscrowd') and not annotation.get('area'):
            annotation.update(iscrowd=0, area=None)


@fixes(
    'boxes.missing',
    'boxes.empty',
    'boxes.beyond',
    'boxes.not-of-mask',
    'boxes.area-missing',
    'boxes.area-zero',
    'boxes.area-not-of-mask',
    'exports.box-short',
)
def measure_masks(snapshot: Snapshot) -> None:
    """Boxes and areas become those of the masks, crowds' too."""
    for place, annotation in enumerate(snapshot.annotations):
        if snapshot.image_of[place] >= 0:
            _measure(annotation, snapshot.size_of[place][::-1])


def _measure(annotation: dict, size: np.ndarray | None) -> None:
    """Box and area of the mask, if it has one.

    Args:
        annotation: is changed.
        size: height and width of its image; None: large enough.
    """
    if size is not None and not np.isfinite(size).all():
        return
    try:
        if size is None:
            flat = [v for part in annotation['segmentation'] for v in part]
            size = np.full(2, np.ceil(max(flat)) + 1)
        rle = object_rle(annotation, size.astype(int).tolist(), 'annotation')
    except (KeyError, TypeError, ValueError):
        # Another finding is about this mask.
        return
    if rle is not None:
        annotation['bbox'] = coder.toBbox(rle).tolist()
        annotation['area'] = int(coder.area(rle))


@fixes('panoptic.area')
def count_pixels(snapshot: Snapshot) -> None:
    for annotation, fact in zip(
        snapshot.annotations, snapshot.maps, strict=True
    ):
        for segment in annotation.get('segments_info') or ():
            found = fact.areas.get(segment.get('id'))
            segment['area'] = found or segment.get('area')
