"""Run-length encoded masks."""

import numpy as np

from .findings import Hits, Options, check, hits
from .runs import counts_of, is_sound, size_of
from .snapshot import RLE, Snapshot


def _runs(snapshot: Snapshot) -> list[tuple[int, dict, np.ndarray | None]]:
    """Place, RLE and its runs (None: not readable) of each."""
    found = []
    for place in np.flatnonzero(snapshot.mask_kind == RLE):
        rle = snapshot.annotations[place]['segmentation']
        found.append((int(place), rle, counts_of(rle['counts'])))
    return found


@check(
    'rle.size',
    'error',
    'masks have another size than their image: every pixel is misplaced',
    'encode them again at the size of the image',
)
def size(snapshot: Snapshot, options: Options) -> Hits:
    found = [
        place
        for place, rle, _ in _runs(snapshot)
        if size_of(rle) != tuple(snapshot.size_of[place][::-1])
        and snapshot.image_of[place] >= 0
    ]
    return hits(np.array(found, dtype=np.int64), snapshot.name_annotation)


@check(
    'rle.runs',
    'error',
    'runs do not add up to the size, or cannot be read: decoders crash or '
    'return what lies in memory',
    'encode them again, or take them out (--fix does)',
)
def runs(snapshot: Snapshot, options: Options) -> Hits:
    found = [place for place, rle, _ in _runs(snapshot) if not is_sound(rle)]
    return hits(np.array(found, dtype=np.int64), snapshot.name_annotation)


@check(
    'rle.empty',
    'warning',
    'RLE masks have no pixel',
    'take the annotations out (--fix does)',
)
def empty(snapshot: Snapshot, options: Options) -> Hits:
    found = [
        place
        for place, _, counts in _runs(snapshot)
        if counts is not None and counts[1::2].sum() == 0
    ]
    return hits(np.array(found, dtype=np.int64), snapshot.name_annotation)


@check(
    'rle.kinds',
    'note',
    'compressed and uncompressed RLE are mixed: some readers take one only',
    'write all of them in one form',
)
def kinds(snapshot: Snapshot, options: Options) -> Hits:
    rows = _runs(snapshot)
    plain = [
        place for place, rle, _ in rows if isinstance(rle['counts'], list)
    ]
    mixed = 0 < len(plain) < len(rows)
    found = np.array(plain if mixed else [], dtype=np.int64)
    return hits(found, snapshot.name_annotation)
