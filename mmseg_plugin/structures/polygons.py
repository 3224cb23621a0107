"""All polygons of an image, moved and rasterised together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from pycocotools import mask as mask_utils

# COCO's rasteriser rounds coordinates to a fifth of a pixel.
FINE = 5


class Block(NamedTuple):
    """A part of a mask; there is nothing outside.

    Attributes:
        mask: uint8 (h, w) of 0 and 1.
        top: row where it begins.
        left: column where it begins.
    """

    mask: np.ndarray
    top: int
    left: int


class Polygons(NamedTuple):
    """Polygons of objects; an object is the union of any number of them.

    Attributes:
        points: float64 (P, 2), x and y of all corners in pixels.
        ends: int (R,), where the corners of each polygon end.
        owners: int (R,), the object of each polygon, ascending.
        total: number of objects.
    """

    points: np.ndarray
    ends: np.ndarray
    owners: np.ndarray
    total: int

    @classmethod
    def of(cls, objects: Sequence[Sequence[np.ndarray]]) -> 'Polygons':
        """Polygons of objects.

        Args:
            objects: of each object its polygons, x1, y1, x2, y2, ...; None
                for an object without.
        """
        rings = [
            np.asarray(ring, np.float64).reshape(-1, 2)
            for polygons in objects
            for ring in polygons or ()
        ]
        owners = [i for i, p in enumerate(objects) for _ in p or ()]
        return cls._of_rings(rings, owners, len(objects))

    @classmethod
    def _of_rings(
        cls, rings: list[np.ndarray], owners: Sequence[int], total: int
    ) -> 'Polygons':
        lengths = [len(ring) for ring in rings]
        return cls(
            np.concatenate(rings) if rings else np.zeros((0, 2)),
            np.cumsum(lengths, dtype=int),
            np.asarray(owners, int),
            total,
        )

    @property
    def starts(self) -> np.ndarray:
        """Where the corners of each polygon begin, int (R,)."""
        return np.append(0, self.ends)[:-1]

    @property
    def lengths(self) -> np.ndarray:
        """Number of corners of each polygon, int (R,)."""
        return np.diff(self.ends, prepend=0)

    def rings(self) -> list[np.ndarray]:
        """Corners of each polygon, (n, 2)."""
        return [
            self.points[start:end]
            for start, end in zip(self.starts, self.ends, strict=True)
        ]

    def flip(self, axis: int, length: int) -> 'Polygons':
        """Mirrored along x (0) or y (1) in an image of such a length."""
        points = self.points.copy()
        points[:, axis] = length - points[:, axis]
        return self._replace(points=points)

    def scale(self, by_x: float, by_y: float) -> 'Polygons':
        """Scaled by a factor for each axis."""
        return self._replace(points=self.points * (by_x, by_y))

    def shift(self, by_x: float, by_y: float) -> 'Polygons':
        """Moved by pixels."""
        return self._replace(points=self.points + (by_x, by_y))

    def clip(self, left: int, top: int, height: int, width: int) -> 'Polygons':
        """What lies in a window, as the published crop gives it.

        Polygons that cross themselves first become simple ones, within the
        window too; what is left of zero area is dropped.

        Source: fvcore 0187d6f, transforms/transform.py,
        ``CropTransform.apply_polygons``.

        Args:
            left: x of the window.
            top: y of the window.
            height: of the window.
            width: of the window.
        """
        if not len(self.ends):
            return self
        first = np.minimum.reduceat(self.points, self.starts)
        last = np.maximum.reduceat(self.points, self.starts)
        low = np.array([left, top])
        high = low + (width, height)
        touched = np.all((last > low) & (first < high), axis=1)
        inside = np.all((first >= low) & (last <= high), axis=1)
        plain: np.ndarray = inside & self._simple()
        window = shapely.box(*low, *high)
        rings, owners = [], []
        for i, ring in enumerate(self.rings()):
            if plain[i]:
                parts = [ring]
            elif touched[i]:
                parts = _clipped(ring, window)
            else:
                continue
            rings += parts
            owners += [self.owners[i]] * len(parts)
        return self._of_rings(rings, owners, self.total)

    def _simple(self) -> np.ndarray:
        """Whether each polygon is one without crossings, bool (R,)."""
        number = np.repeat(np.arange(len(self.ends)), self.lengths)
        rings = shapely.linearrings(self.points, indices=number)
        return np.asarray(shapely.is_valid(shapely.polygons(rings)))

    def corners(self) -> np.ndarray:
        """Boxes around the objects, float32 (total, 4), 0 for none."""
        corners = np.zeros((self.total, 4), np.float32)
        if len(self.ends):
            owned, starts = self._by_owner()
            corners[owned, :2] = np.minimum.reduceat(self.points, starts)
            corners[owned, 2:] = np.maximum.reduceat(self.points, starts)
        return corners

    def _by_owner(self) -> tuple[np.ndarray, np.ndarray]:
        """Objects with polygons, and where the corners of each begin."""
        owned, first = np.unique(self.owners, return_index=True)
        return owned, self.starts[first]

    def blocks(self, height: int, width: int) -> dict[int, Block]:
        """Masks of the objects that have a pixel, by COCO's rasteriser.

        Each is rasterised in the box of its corners: what pycocotools gives
        for the whole image, pixel for pixel.

        Args:
            height: of the image.
            width: of the image.
        """
        if not len(self.ends):
            return {}
        fine = np.trunc(FINE * self.points + 0.5)
        owned, starts = self._by_owner()
        size = np.array([width, height])
        low = np.minimum.reduceat(fine, starts) // FINE - 1
        high = np.maximum.reduceat(fine, starts) // FINE + 2
        low = np.clip(low, 0, size).astype(int)
        high = np.clip(high, 0, size).astype(int)
        place = np.searchsorted(owned, self.owners)
        moves = np.repeat(low[place] * FINE, self.lengths, 0)
        fine -= moves
        # Truncated back to the same number on both sides of zero.
        local = (fine - 0.6 * (fine < 0)) / FINE
        pieces = np.split(local.reshape(-1), 2 * self.ends[:-1])
        bounds = np.append(np.searchsorted(self.owners, owned), len(pieces))
        blocks = {}
        for i, owner in enumerate(owned.tolist()):
            columns, rows = (high[i] - low[i]).tolist()
            if min(columns, rows) <= 0:
                continue
            parts = pieces[bounds[i] : bounds[i + 1]]
            mask = _rasterised(parts, rows, columns)
            blocks[owner] = Block(mask, int(low[i, 1]), int(low[i, 0]))
        return blocks


def _clipped(ring: np.ndarray, window: shapely.Polygon) -> list[np.ndarray]:
    """Outer rings of what a polygon has in a window."""
    found = shapely.Polygon(ring).buffer(0.0).intersection(window)
    return [
        np.asarray(part.exterior.coords)[:-1]
        for part in getattr(found, 'geoms', [found])
        if isinstance(part, shapely.Polygon)
        and not part.is_empty
        and part.is_valid
    ]


def _rasterised(
    parts: list[np.ndarray], height: int, width: int
) -> np.ndarray:
    """The union of polygons, x1, y1, x2, y2, ..., uint8 (height, width)."""
    encoded = mask_utils.frPyObjects(parts, height, width)
    if len(encoded) > 1:
        encoded = [mask_utils.merge(encoded)]
    return mask_utils.decode(encoded)[..., 0]
