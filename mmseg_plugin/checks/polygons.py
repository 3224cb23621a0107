"""Polygons."""

import numpy as np

from .crossings import crossing_owners
from .findings import Hits, Options, check, hits
from .polygons_table import MIN_VALUES
from .snapshot import POLYGONS, Snapshot

MANY_VALUES = 10000
SLACK = 2.0


def _owners(snapshot: Snapshot, rows: np.ndarray) -> Hits:
    """The annotations of some polygons, each once."""
    return hits(
        np.unique(snapshot.polygons.owner[rows]), snapshot.name_annotation
    )


@check(
    'polygons.short',
    'error',
    'polygons have less than three points, or an odd number of values: '
    'evaluation stops or reads a box',
    'take those parts out (--fix does)',
)
def short(snapshot: Snapshot, options: Options) -> Hits:
    values = snapshot.polygons.values
    return _owners(snapshot, (values < MIN_VALUES) | (values % 2 == 1))


@check(
    'polygons.broken',
    'error',
    'segmentations are neither lists of polygons nor RLE (a flat list?)',
    'write [[x, y, x, y, ...]] (--fix does for flat lists)',
)
def broken(snapshot: Snapshot, options: Options) -> Hits:
    polygons = snapshot.polygons
    sound = (polygons.values >= MIN_VALUES) & (polygons.values % 2 == 0)
    found = snapshot.mask_kind > POLYGONS + 1
    found[polygons.owner[sound & np.isnan(polygons.area)]] = True
    return hits(found, snapshot.name_annotation)


@check(
    'polygons.outside',
    'warning',
    'polygons reach beyond their image by more than two pixels',
    'cut them at the border; is the stated size right?',
)
def outside(snapshot: Snapshot, options: Options) -> Hits:
    polygons = snapshot.polygons
    limit = snapshot.size_of[polygons.owner] + SLACK
    low, high = polygons.box[:, :2], polygons.box[:, 2:]
    return _owners(snapshot, ((low < -SLACK) | (high > limit)).any(1))


@check(
    'polygons.flat',
    'warning',
    'polygons enclose nothing',
    'take those parts out (--fix does)',
)
def flat(snapshot: Snapshot, options: Options) -> Hits:
    return _owners(snapshot, snapshot.polygons.area < 1e-3)


@check(
    'polygons.many-points',
    'note',
    'polygons have more than 5000 points: slow to load',
    'simplify them, or store RLE',
)
def many_points(snapshot: Snapshot, options: Options) -> Hits:
    return _owners(snapshot, snapshot.polygons.values > MANY_VALUES)


@check(
    'polygons.crossing',
    'warning',
    'polygons cross themselves: what is inside depends on the reader',
    'draw them again, or split them into parts',
)
def crossing(snapshot: Snapshot, options: Options) -> Hits:
    found = crossing_owners(snapshot.annotations, snapshot.polygons)
    return hits(found, snapshot.name_annotation)


@check(
    'polygons.inside',
    'warning',
    'a part lies inside another one: readers fill what was meant as a hole',
    'store objects with holes as RLE, or take the inner part out',
)
def inside(snapshot: Snapshot, options: Options) -> Hits:
    table = snapshot.polygons
    owners, starts, counts = np.unique(
        table.owner, return_index=True, return_counts=True
    )
    several = counts > 1
    rows = zip(owners[several], starts[several], counts[several], strict=True)
    found = [
        int(owner)
        for owner, start, count in rows
        if _holds_another(snapshot, start, start + count)
    ]
    return hits(np.array(found, dtype=np.int64), snapshot.name_annotation)


def _holds_another(snapshot: Snapshot, start: int, end: int) -> bool:
    """Whether one part of an annotation is within another."""
    # Not needed by most files; see difference_hash().
    import cv2

    boxes = snapshot.polygons.box[start:end]
    parts = snapshot.annotations[snapshot.polygons.owner[start]]
    low = (boxes[:, None, :2] < boxes[None, :, :2]).all(-1)
    high = (boxes[:, None, 2:] > boxes[None, :, 2:]).all(-1)
    for outer, inner in np.argwhere(low & high):
        around = np.array(parts['segmentation'][outer], np.float32)
        x, y = parts['segmentation'][inner][:2]
        place = (float(x), float(y))
        if cv2.pointPolygonTest(around.reshape(-1, 2), place, False) > 0:
            return True
    return False
