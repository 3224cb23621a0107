"""What single tools are known to write."""

import numpy as np

from .findings import Hits, Options, check, hits, listed
from .snapshot import RLE, Snapshot

# Boxes drawn as masks are rare among true masks.
SHARE = 0.3


@check(
    'exports.box-as-mask',
    'warning',
    'masks are their boxes (sahi, converters of detection data)',
    'draw masks, or train a detector',
)
def box_as_mask(snapshot: Snapshot, options: Options) -> Hits:
    polygons = snapshot.polygons
    extent = polygons.box[:, 2:] - polygons.box[:, :2]
    corners = np.isin(polygons.values, (8, 10))
    full = np.isclose(extent.prod(1), polygons.area) & corners
    found = np.zeros(len(snapshot.annotations), dtype=bool)
    found[polygons.owner[full]] = True
    many = found.sum() > SHARE * len(found)
    return hits(found & many, snapshot.name_annotation)


@check(
    'exports.box-short',
    'note',
    'boxes end one pixel before their RLE masks (supervision, imantics)',
    'take the boxes from the masks (--fix does)',
)
def box_short(snapshot: Snapshot, options: Options) -> Hits:
    from pycocotools import mask as coder

    from .runs import is_sound

    found = []
    for place in np.flatnonzero(snapshot.mask_kind == RLE):
        rle = snapshot.annotations[place]['segmentation']
        if is_sound(rle) and not snapshot.crowd[place]:
            packed = rle
            if isinstance(rle['counts'], list):
                packed = coder.frPyObjects(rle, *rle['size'])
            short = coder.toBbox(packed)[2:] - snapshot.boxes[place, 2:]
            if (short == 1).all():
                found.append(int(place))
    return hits(np.array(found, dtype=np.int64), snapshot.name_annotation)


@check(
    'exports.no-area',
    'warning',
    'shapes have no area and are left out (points and lines of labelme)',
    'draw what is an object as polygon, rectangle, circle or mask',
)
def no_area(snapshot: Snapshot, options: Options) -> Hits:
    return listed(
        [
            f'{image.get("file_name")}: {shape}'
            for image in snapshot.images
            for shape in image.get('without_area') or ()
        ]
    )


@check(
    'exports.crowd-area',
    'error',
    'crowd regions have area 0: several parts of one object (darwin)',
    'set iscrowd to 0 and the area of the mask (--fix does)',
)
def crowd_area(snapshot: Snapshot, options: Options) -> Hits:
    found = snapshot.crowd & (snapshot.areas == 0)
    return hits(found, snapshot.name_annotation)
