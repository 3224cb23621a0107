"""Boxes and areas."""

import numpy as np
from pycocotools import mask as coder

from mmseg_plugin.datasets.annotations import object_rle

from .findings import Hits, Options, check, hits
from .snapshot import POLYGONS, Snapshot

# Pixels by which polygons and boxes may differ.
SLACK = 2.0
# Masks that are drawn to compare their boxes, at most.
LOOKED_AT = 2000
# Share by which a stated area may differ from the polygon's.
AREA_SHARE = 0.1


@check(
    'boxes.missing',
    'error',
    'annotations have no bbox of four numbers',
    'take it from the mask (--fix does)',
)
def missing(snapshot: Snapshot, options: Options) -> Hits:
    return hits(np.isnan(snapshot.boxes).any(1), snapshot.name_annotation)


@check(
    'boxes.empty',
    'warning',
    'boxes are less than a pixel wide or high: loaders drop the objects',
    'take the box from the mask (--fix does)',
)
def empty(snapshot: Snapshot, options: Options) -> Hits:
    found = (snapshot.boxes[:, 2:] < 1).any(1)
    return hits(found, snapshot.name_annotation)


@check(
    'boxes.outside',
    'warning',
    'boxes lie outside their image: loaders drop the objects',
    'check whether the image is the right one; x, y, width, height?',
)
def outside(snapshot: Snapshot, options: Options) -> Hits:
    low, extent = snapshot.boxes[:, :2], snapshot.boxes[:, 2:]
    found = ((low >= snapshot.size_of) | (low + extent <= 0)).any(1)
    return hits(found, snapshot.name_annotation)


@check(
    'boxes.beyond',
    'note',
    'boxes reach beyond their image by more than two pixels',
    'cut them at the border (--fix does)',
)
def beyond(snapshot: Snapshot, options: Options) -> Hits:
    low, extent = snapshot.boxes[:, :2], snapshot.boxes[:, 2:]
    over = low + extent > snapshot.size_of + SLACK
    found = (over | (low < -SLACK)).any(1)
    return hits(found, snapshot.name_annotation)


@check(
    'boxes.not-of-mask',
    'warning',
    'boxes are not those of their masks',
    'take them from the masks (--fix does)',
)
def not_of_mask(snapshot: Snapshot, options: Options) -> Hits:
    count = len(snapshot.annotations)
    mask = snapshot.polygons.boxes_of(count)
    found = np.zeros(count, dtype=bool)
    # Side by side: all four of a million at once are many megabytes.
    for side in range(4):
        stated = _side(snapshot, side, slice(None))
        # Boxes are cut at the border, masks often are not.
        drawn = np.clip(mask[:, side], 0, snapshot.size_of[:, side % 2])
        found |= np.abs(drawn - stated) > SLACK
    found &= ~snapshot.crowd
    # The pixels of a polygon with thin spikes end before it does.
    for place in np.flatnonzero(found)[:LOOKED_AT]:
        drawn = _box_of_pixels(snapshot, int(place))
        box = [_side(snapshot, side, place) for side in range(4)]
        found[place] = (np.abs(drawn - box) > SLACK).any()
    return hits(found, snapshot.name_annotation)


def _side(
    snapshot: Snapshot, side: int, places: slice | np.integer
) -> np.ndarray:
    """x1, y1, x2 or y2 of boxes, cut at the border of the image."""
    boxes, axis = snapshot.boxes, side % 2
    end = boxes[places, side] + (boxes[places, axis] if side > 1 else 0)
    return np.clip(end, 0, snapshot.size_of[places, axis])


def _box_of_pixels(snapshot: Snapshot, place: int) -> np.ndarray:
    """x1, y1, x2, y2 of the mask as it is loaded; inf: it cannot be."""
    annotation = snapshot.annotations[place]
    size = snapshot.size_of[place][::-1]
    if not np.isfinite(size).all():
        return np.full(4, np.inf)
    try:
        rle = object_rle(annotation, size.astype(int).tolist(), '')
    except ValueError:
        rle = None
    if rle is None:
        return np.full(4, np.inf)
    x, y, width, height = coder.toBbox(rle)
    return np.array([x, y, x + width, y + height])


@check(
    'boxes.area-missing',
    'error',
    'annotations have no area: loaders stop',
    'take it from the mask (--fix does)',
)
def area_missing(snapshot: Snapshot, options: Options) -> Hits:
    return hits(np.isnan(snapshot.areas), snapshot.name_annotation)


@check(
    'boxes.area-zero',
    'warning',
    'areas are 0 or less: loaders drop the objects',
    'take the area from the mask (--fix does)',
)
def area_zero(snapshot: Snapshot, options: Options) -> Hits:
    return hits(snapshot.areas <= 0, snapshot.name_annotation)


@check(
    'boxes.area-not-of-mask',
    'note',
    'areas are not those of the masks: AP of small and large is wrong',
    'take them from the masks (--fix does)',
)
def area_not_of_mask(snapshot: Snapshot, options: Options) -> Hits:
    count = len(snapshot.annotations)
    true = snapshot.polygons.areas_of(count)
    single = np.bincount(snapshot.polygons.owner, minlength=count) == 1
    edge = snapshot.boxes[:, 2] + snapshot.boxes[:, 3]
    wrong = np.abs(true - snapshot.areas) > AREA_SHARE * true + edge
    chosen = single & (snapshot.mask_kind == POLYGONS) & ~snapshot.crowd
    return hits(
        chosen & wrong & (snapshot.areas > 0), snapshot.name_annotation
    )
