"""Areas and extents of all polygons of a file at once."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

# Polygons whose coordinates are in memory at a time.
CHUNK = 20000
MIN_VALUES = 6


@dataclass(frozen=True)
class Polygons:
    """P polygons.

    Attributes:
        owner: (P,) place of the annotation.
        values: (P,) how many numbers, twice the points.
        box: (P, 4) x1, y1, x2, y2 of the points; NaN: not a polygon.
        area: (P,) enclosed, in pixels; NaN: not a polygon.
    """

    owner: np.ndarray
    values: np.ndarray
    box: np.ndarray
    area: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        return ~np.isnan(self.area)

    def boxes_of(self, count: int) -> np.ndarray:
        """(count, 4) box around all polygons of each annotation, or NaN."""
        box = np.full((count, 4), np.nan)
        # The smaller of a number and NaN is the number.
        np.fmin.at(box[:, :2], self.owner, self.box[:, :2])
        np.fmax.at(box[:, 2:], self.owner, self.box[:, 2:])
        box[~np.isfinite(box)] = np.nan
        return box

    def areas_of(self, count: int) -> np.ndarray:
        """(count,) sum of the areas of each annotation's polygons."""
        good = self.usable
        return np.bincount(self.owner[good], self.area[good], count)


def polygon_table(annotations: list[dict], chosen: np.ndarray) -> Polygons:
    """Measures the polygons of some annotations.

    Args:
        annotations: of the file.
        chosen: places of those whose segmentation is a list of lists.
    """
    parts = [annotations[place]['segmentation'] for place in chosen]
    counts = np.array([len(part) for part in parts], dtype=np.int64)
    flat = [_values(one) for one in chain.from_iterable(parts)]
    values = np.array([len(one) for one in flat], dtype=np.int64)
    box = np.full((len(flat), 4), np.nan)
    area = np.full(len(flat), np.nan)
    sound = np.flatnonzero((values >= MIN_VALUES) & (values % 2 == 0))
    for start in range(0, len(sound), CHUNK):
        rows = sound[start : start + CHUNK]
        rows, points = _points(flat, rows, values)
        if len(rows):
            box[rows], area[rows] = _measure(points, values[rows] // 2)
    return Polygons(np.repeat(chosen, counts), values, box, area)


def _values(polygon: object) -> list:
    return polygon if isinstance(polygon, list) else []


def _points(
    flat: list[list], rows: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    kinds = {int, float}
    # Texts and truth values would be taken for numbers.
    found = set(map(type, chain.from_iterable(flat[row] for row in rows)))
    if not found <= kinds:
        good = [row for row in rows if set(map(type, flat[row])) <= kinds]
        rows = np.array(good, dtype=np.int64)
    numbers = np.fromiter(
        chain.from_iterable(flat[row] for row in rows),
        float,
        count=int(values[rows].sum()),
    )
    return rows, numbers.reshape(-1, 2)


def _measure(
    points: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    ends = np.cumsum(counts)
    starts = ends - counts
    following = np.arange(1, len(points) + 1)
    following[ends - 1] = starts
    x, y = points.T
    # From each polygon's first point: large coordinates cancel otherwise.
    x = x - np.repeat(x[starts], counts)
    y = y - np.repeat(y[starts], counts)
    # Infinite coordinates, which JSON may have, give no area.
    with np.errstate(invalid='ignore'):
        cross = x * y[following] - x[following] * y
        area = np.abs(np.add.reduceat(cross, starts)) / 2
    low = np.minimum.reduceat(points, starts, axis=0)
    high = np.maximum.reduceat(points, starts, axis=0)
    return np.concatenate([low, high], axis=1), area
