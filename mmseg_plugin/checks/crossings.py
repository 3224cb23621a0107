"""Which polygons cross themselves, many at once."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

# Pairs of edges that are in memory at a time.
PAIRS = 200_000
# Points up to which every pair of edges is looked at.
MOST_POINTS = 400


def crossing_owners(annotations: list[dict], chosen: np.ndarray) -> np.ndarray:
    """Places of annotations with a polygon whose edges cross.

    Edges that touch or lie on each other, as in seams between parts, do not
    cross. Polygons of more than 400 points are not looked at.

    Args:
        annotations: of the file.
        chosen: places of those with sound polygons.
    """
    by_length = defaultdict(list)
    for place in chosen.tolist():
        for polygon in annotations[place]['segmentation']:
            if 8 <= len(polygon) <= 2 * MOST_POINTS:
                by_length[len(polygon)].append((place, polygon))
    found = []
    for length, rows in by_length.items():
        count = length // 2
        step = max(1, PAIRS // (count * count))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            points = np.array([polygon for _, polygon in part], float)
            crosses = _crosses(points.reshape(len(part), count, 2))
            found += [
                place
                for (place, _), yes in zip(part, crosses, strict=True)
                if yes
            ]
    return np.unique(np.array(found, dtype=np.int64))


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
