"""Crowd and ignored regions."""

import numpy as np

from .findings import Hits, Options, check, hits, listed
from .snapshot import RLE, Snapshot


@check(
    'crowd.all',
    'error',
    'every annotation is a crowd region: nothing is trained, AP is -1',
    'set iscrowd to 0 where it is one object (--fix does)',
)
def everything(snapshot: Snapshot, options: Options) -> Hits:
    everything = len(snapshot.crowd) > 0 and snapshot.crowd.all()
    count = len(snapshot.crowd) if everything else 0
    return hits(np.arange(count), snapshot.name_annotation)


@check(
    'crowd.class',
    'warning',
    'classes have crowd regions alone: they are never trained',
    'set iscrowd to 0 where it is one object',
)
def whole_class(snapshot: Snapshot, options: Options) -> Hits:
    count = len(snapshot.categories)
    known = snapshot.category_of >= 0
    place, crowd = snapshot.category_of[known], snapshot.crowd[known]
    total = np.bincount(place, minlength=count)
    crowds = np.bincount(place, crowd, count)
    return hits((total > 0) & (total == crowds), snapshot.name_category)


@check(
    'crowd.rle',
    'warning',
    'most RLE masks are crowd regions, as exporters write single objects',
    'set iscrowd to 0 where it is one object (--fix does)',
)
def rle(snapshot: Snapshot, options: Options) -> Hits:
    found = snapshot.crowd & (snapshot.mask_kind == RLE)
    # COCO has one crowd region in ninety.
    many = found.sum() > 0.2 * len(found)
    return hits(found & many, snapshot.name_annotation)


@check(
    'crowd.missing',
    'error',
    'annotations have no iscrowd: pycocotools stops at them',
    'set it to 0 (--fix does)',
)
def missing(snapshot: Snapshot, options: Options) -> Hits:
    found = ['iscrowd' not in a for a in snapshot.annotations]
    return hits(np.array(found, dtype=bool), snapshot.name_annotation)


@check(
    'crowd.value',
    'error',
    'iscrowd is neither 0 nor 1: training is refused, others guess',
    'write 0 for one object, 1 for a crowd',
)
def value(snapshot: Snapshot, options: Options) -> Hits:
    found = [
        a.get('iscrowd') not in (None, 0, 1) for a in snapshot.annotations
    ]
    return hits(np.array(found, dtype=bool), snapshot.name_annotation)


@check(
    'crowd.ignore',
    'warning',
    'objects with ignore are left out of training and yet evaluated',
    'set iscrowd as well, or take ignore out',
)
def ignore(snapshot: Snapshot, options: Options) -> Hits:
    found = [
        bool(a.get('ignore')) and not a.get('iscrowd')
        for a in snapshot.annotations
    ]
    return hits(np.array(found, dtype=bool), snapshot.name_annotation)


@check(
    'crowd.nothing',
    'error',
    'there is no object to train on or validate on: in its image, larger '
    'than a pixel and neither crowd nor ignored',
    'look whether this is the right file',
)
def nothing(snapshot: Snapshot, options: Options) -> Hits:
    corner, size = snapshot.boxes[:, :2], snapshot.boxes[:, 2:]
    inside = np.minimum(corner + size, snapshot.size_of) - corner.clip(0)
    # What is missing is made from the mask: nothing is less than NaN.
    none = (inside <= 0).any(1) | (size < 1).any(1) | (snapshot.areas <= 0)
    ignored = [bool(a.get('ignore')) for a in snapshot.annotations]
    none |= np.array(ignored, dtype=bool)
    empty = (none | snapshot.crowd).all()
    # Crowds alone are told above.
    told = len(snapshot.crowd) > 0 and snapshot.crowd.all()
    return listed(['annotations'] if empty and not told else [])
