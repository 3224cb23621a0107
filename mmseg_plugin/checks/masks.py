"""Masks, whatever they are stored as."""

import numpy as np

from .findings import Hits, Options, check, hits
from .ids import repeated
from .snapshot import EMPTY, MISSING, Snapshot

MANY_PARTS = 20
# Of Knuth's multiplicative hash, for 64 bits.
FACTOR, SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@check(
    'masks.missing',
    'error',
    'objects have no segmentation: training stops or leaves them out',
    'draw the masks, or take the objects out (--fix does)',
)
def missing(snapshot: Snapshot, options: Options) -> Hits:
    found = np.isin(snapshot.mask_kind, (MISSING, EMPTY))
    return hits(found, snapshot.name_annotation)


@check(
    'masks.one-pixel',
    'warning',
    'masks have about one pixel',
    'look whether they are clicks by mistake',
)
def one_pixel(snapshot: Snapshot, options: Options) -> Hits:
    found = (snapshot.areas > 0) & (snapshot.areas <= 1)
    return hits(found & ~snapshot.crowd, snapshot.name_annotation)


@check(
    'masks.vanish',
    'note',
    'objects are smaller than one cell of the finest feature map',
    'train on larger images, or on tiles',
)
def vanish(snapshot: Snapshot, options: Options) -> Hits:
    cell = options.stride**2
    found = (snapshot.areas > 1) & (snapshot.areas < cell)
    return hits(found & ~snapshot.crowd, snapshot.name_annotation)


@check(
    'masks.many-parts',
    'note',
    f'masks have more than {MANY_PARTS} parts',
    'look whether they are several objects, or should be crowd regions',
)
def many_parts(snapshot: Snapshot, options: Options) -> Hits:
    parts = np.bincount(
        snapshot.polygons.owner, minlength=len(snapshot.annotations)
    )
    rle = snapshot.topology
    parts[rle.place] = rle.parts
    return hits(
        (parts > MANY_PARTS) & ~snapshot.crowd, snapshot.name_annotation
    )


@check(
    'masks.holes',
    'note',
    'masks have holes, which polygons and YOLO cannot hold',
    'keep them as RLE; convert to no format of polygons',
)
def holes(snapshot: Snapshot, options: Options) -> Hits:
    rle = snapshot.topology
    return hits(rle.place[rle.holes], snapshot.name_annotation)


@check(
    'masks.vanish-resized',
    'warning',
    "objects are smaller than one cell after the config's resize",
    'train on larger images, or on crops or tiles',
)
def vanish_resized(snapshot: Snapshot, options: Options) -> Hits:
    if options.scale is None:
        return hits(np.zeros(0, dtype=bool), snapshot.name_annotation)
    sides = np.sort(snapshot.size_of, 1)
    short, long = sorted(options.scale)
    factor = np.fmin(short / sides[:, 0], long / sides[:, 1])
    cell = options.stride**2
    seen = snapshot.areas * factor**2
    found = (snapshot.areas >= cell) & (seen < cell)
    return hits(found & ~snapshot.crowd, snapshot.name_annotation)


@check(
    'masks.twice',
    'warning',
    'objects are annotated twice: same image, class, box and area',
    'keep one of them (--fix does)',
)
def twice(snapshot: Snapshot, options: Options) -> Hits:
    return hits(same_objects(snapshot), snapshot.name_annotation)


def same_objects(snapshot: Snapshot) -> np.ndarray:
    """(N,) whether an equal object stood before."""
    columns = [
        snapshot.image_of,
        snapshot.category_of,
        snapshot.crowd,
        *snapshot.boxes.T,
        snapshot.areas,
    ]
    # A number of each object first: few of a million share one.
    number = np.zeros(len(snapshot.annotations), dtype=np.uint64)
    for column in columns:
        bits = column.astype(float).view(np.uint64)
        number = (number ^ bits ^ (number >> SHIFT)) * FACTOR
    values, counts = np.unique(number, return_counts=True)
    shared = np.isin(number, values[counts > 1])
    shared &= ~np.isnan(snapshot.boxes).any(1) & ~np.isnan(snapshot.areas)
    rows = np.column_stack([column[shared] for column in columns])
    found = np.zeros(len(number), dtype=bool)
    found[shared] = repeated([row.tobytes() for row in rows])
    return found
