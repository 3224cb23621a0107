"""Where the pixels of an image come from, after flips, resizes and crops."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from mmseg_plugin.structures.polygons import Polygons

Size = tuple[int, int]
OUTSIDE = -1


class Flip(NamedTuple):
    """Mirrors along one axis.

    Attributes:
        axis: 0 for x, 1 for y.
    """

    axis: int


class Resize(NamedTuple):
    """Resizes, coordinates by the exact ratio of the sizes.

    Attributes:
        size: height and width after it.
        backend: whose nearest neighbour moves pixels: ``'pillow'`` takes
            that of the pixel's centre, ``'cv2'`` that of its corner.
    """

    size: Size
    backend: str


class Window(NamedTuple):
    """Cuts a window out, which may be larger than the image.

    Attributes:
        top: row of the image where it begins.
        left: column where it begins.
        size: height and width.
        clip: whether polygons are cut at its border, as a crop does, padding
            does not.
    """

    top: int
    left: int
    size: Size
    clip: bool


Step = Flip | Resize | Window


def nearest_index(old: int, new: int, backend: str) -> np.ndarray:
    """Which of ``old`` pixels each of ``new`` is, by nearest neighbour.

    Taken from the resize itself, rounding included.

    Args:
        old: pixels before.
        new: pixels after.
        backend: see :class:`Resize`.

    Returns:
        int32 (new,).
    """
    ramp = np.arange(old, dtype=np.int32)[None]
    if backend == 'pillow':
        image = Image.fromarray(ramp)
        return np.asarray(image.resize((new, 1), Image.Resampling.NEAREST))[0]
    # OpenCV has no nearest neighbour of int32 numbers.
    ramp = ramp.astype(np.float32)
    index = cv2.resize(ramp, (new, 1), interpolation=cv2.INTER_NEAREST)
    return index[0].astype(np.int32)


class Placement(NamedTuple):
    """Steps from an image as it was stored to one of another size.

    Attributes:
        source: height and width as stored.
        steps: in their order.
    """

    source: Size
    steps: tuple[Step, ...] = ()

    @property
    def size(self) -> Size:
        """Height and width after all steps."""
        for step in reversed(self.steps):
            if not isinstance(step, Flip):
                return step.size
        return self.source

    def then(self, *steps: Step) -> 'Placement':
        """The same with more steps."""
        return self._replace(steps=self.steps + steps)

    def stored(self, axis: int) -> np.ndarray:
        """Which stored column or row each of the new ones is.

        Args:
            axis: 0 for columns (x), 1 for rows (y).

        Returns:
            int (new size,); :data:`OUTSIDE` where there is none.
        """
        side = 1 - axis
        index: np.ndarray = np.arange(self.source[side])
        for step in self.steps:
            if isinstance(step, Flip):
                index = index[::-1] if step.axis == axis else index
            elif isinstance(step, Resize):
                new = step.size[side]
                index = index[nearest_index(len(index), new, step.backend)]
            else:
                start = (step.left, step.top)[axis]
                taken = index[max(start, 0) : max(start + step.size[side], 0)]
                padded = np.full(step.size[side], OUTSIDE)
                first = max(-start, 0)
                padded[first : first + len(taken)] = taken
                index = padded
        return index

    def gather(self, pixels: np.ndarray, fill: float) -> np.ndarray:
        """A stored map as it is after all steps, by nearest neighbour.

        Args:
            pixels: (H, W) of the source's size.
            fill: value where nothing is stored.

        Returns:
            Of the new size, the same dtype.
        """
        rows, columns = self.stored(1), self.stored(0)
        here = rows != OUTSIDE, columns != OUTSIDE
        rows, columns = rows[here[0]], columns[here[1]]
        # Columns, the slower ones, of the fewer rows. Clipping changes no
        # index: NumPy buffers its results without it.
        if len(rows) > len(pixels):
            taken = pixels.take(columns, 1, mode='clip').take(rows, 0)
        else:
            taken = pixels.take(rows, 0).take(columns, 1, mode='clip')
        if all(inside.all() for inside in here):
            return taken
        result = np.full(self.size, fill, pixels.dtype)
        if taken.size:
            top, left = here[0].argmax(), here[1].argmax()
            height, width = taken.shape
            result[top : top + height, left : left + width] = taken
        return result

    def move(self, polygons: Polygons) -> Polygons:
        """Polygons as they are after all steps.

        Each step is taken by itself, so that coordinates are rounded as they
        were where the published mappers do the same.

        Args:
            polygons: in pixels of the stored image.
        """
        size = self.source
        for step in self.steps:
            if isinstance(step, Flip):
                polygons = polygons.flip(step.axis, size[1 - step.axis])
            elif isinstance(step, Resize):
                polygons = polygons.scale(
                    step.size[1] * 1.0 / size[1], step.size[0] * 1.0 / size[0]
                )
                size = step.size
            else:
                if step.clip:
                    polygons = polygons.clip(step.left, step.top, *step.size)
                polygons = polygons.shift(-step.left, -step.top)
                size = step.size
        return polygons


def flips(direction: str) -> Sequence[Flip]:
    """Steps of a flip in mmcv's words.

    Raises:
        ValueError: there is no such direction.
    """
    known = {
        'horizontal': (Flip(0),),
        'vertical': (Flip(1),),
        'diagonal': (Flip(0), Flip(1)),
    }
    if direction not in known:
        raise ValueError(
            f'a flip is one of {", ".join(known)}, not {direction}'
        )
    return known[direction]
