"""Which polygons cross themselves, many at once."""

from __future__ import annotations

import numpy as np

from mmseg_plugin.checks.polygons_table import Polygons

# Pairs of edges that are in memory at a time.
PAIRS = 200_000
# Points up to which every pair of edges is looked at.
MOST_POINTS = 400


def crossing_owners(annotations: list[dict], table: Polygons) -> np.ndarray:
    """Places of annotations with a polygon whose edges cross.

    Edges that touch or lie on each other, as in seams between parts, do not
    cross. Polygons of more than 400 points are not looked at, nor are those
    beside a part that is no polygon.

    Args:
        annotations: of the file.
        table: its polygons.
    """
    owner, values = table.owner, table.values
    _, first, counts = np.unique(owner, return_index=True, return_counts=True)
    part = np.arange(len(owner)) - np.repeat(first, counts)
    chosen = (values >= 8) & (values <= 2 * MOST_POINTS)
    chosen &= ~np.isin(owner, owner[~table.usable])
    found = [np.zeros(0, dtype=np.int64)]
    for length in np.unique(values[chosen]).tolist():
        rows = np.flatnonzero(chosen & (values == length))
        count = length // 2
        step = max(1, PAIRS // (count * count))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            places = np.stack([owner[some], part[some]], 1).tolist()
            points = np.array(
                [annotations[a]['segmentation'][p] for a, p in places], float
            )
            crosses = _crosses(points.reshape(len(some), count, 2))
            found.append(owner[some[crosses]])
    return np.unique(np.concatenate(found))


def _crosses(points: np.ndarray) -> np.ndarray:
    """(K,) whether two edges of a polygon cross.

    Args:
        points: (K, n, 2).
    """
    count = points.shape[1]
    first, second = np.triu_indices(count, 2)
    # The last edge and the first one meet.
    apart = (first > 0) | (second < count - 1)
    first, second = first[apart], second[apart]
    ends = np.roll(points, -1, 1)
    a, b = points[:, first], ends[:, first]
    c, d = points[:, second], ends[:, second]
    split_ab = _side(a, b, c) * _side(a, b, d) < 0
    split_cd = _side(c, d, a) * _side(c, d, b) < 0
    return (split_ab & split_cd).any(1)


def _side(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> np.ndarray:
    """On which side of a line from a to b a point is."""
    x, y = 0, 1
    along, to = b - a, p - a
    return along[..., x] * to[..., y] - along[..., y] * to[..., x]
