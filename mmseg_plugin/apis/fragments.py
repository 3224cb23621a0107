"""Joins what several overlapping windows of an image saw of its objects."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmseg_plugin.apis.segments import Segment

# Two finds that share this much are finds of one object.
_SHARED = 0.5
# Parts that cover less of what the whole image shows are not all of it.
COVERED = 0.8
# Masks and boxes may end this many pixels before the border that cuts them.
_MARGIN = 2


class Window(NamedTuple):
    """Part of an image: columns x1 to x2 - 1, rows y1 to y2 - 1."""

    x1: int
    y1: int
    x2: int
    y2: int

    def intersect(self, other: 'Window') -> 'Window':
        """What both share; it may be empty."""
        return Window(
            max(self.x1, other.x1),
            max(self.y1, other.y1),
            min(self.x2, other.x2),
            min(self.y2, other.y2),
        )

    @property
    def is_empty(self) -> bool:
        """Whether it has no pixels."""
        return self.x1 >= self.x2 or self.y1 >= self.y2

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of its pixels in an array of the image."""
        return slice(self.y1, self.y2), slice(self.x1, self.x2)


class Fragment(NamedTuple):
    """An object, or a part of one, as one window shows it.

    Attributes:
        segment: in pixels of the image; the mask is cropped.
        window: what was seen.
        number: of the window.
        cut: whether the object may go on outside of the window.
        coarse: whether it was seen in the whole image, made smaller.
    """

    segment: Segment
    window: Window
    number: int
    cut: bool = False
    coarse: bool = False

    @property
    def extent(self) -> Window:
        """Pixels of the mask; without one, those that the box touches."""
        mask = self.segment.mask
        if mask is None:
            starts = np.floor(self.segment.box[:2]).astype(int).tolist()
            ends = np.ceil(self.segment.box[2:]).astype(int).tolist()
            return Window(*starts, *ends)
        x, y = self.segment.offset
        return Window(x, y, x + mask.shape[1], y + mask.shape[0])

    def pixels(self, region: Window) -> np.ndarray:
        """Its mask in a region of the image, bool.

        Args:
            region: inside the image, not empty.
        """
        out = np.zeros((region.y2 - region.y1, region.x2 - region.x1), bool)
        part = self.extent.intersect(region)
        if not part.is_empty:
            mask = self.segment.mask
            inside = True if mask is None else mask[_within(part, self.extent)]
            out[_within(part, region)] = inside
        return out

    @property
    def area(self) -> int:
        """Pixels of the mask; without one, of the box."""
        return int(self.pixels(self.extent).sum())


def _within(part: Window, whole: Window) -> tuple[slice, slice]:
    x, y = whole[:2]
    moved = Window(part.x1 - x, part.y1 - y, part.x2 - x, part.y2 - y)
    return moved.slices


def is_cut(box: np.ndarray, window: Window, size: tuple[int, int]) -> bool:
    """Whether a box ends at a border of a window inside of the image.

    Args:
        box: x1, y1, x2, y2 in pixels of the image.
        window: where the box was found.
        size: height and width of the image.
    """
    height, width = size
    return bool(
        (window.x1 > 0 and box[0] <= window.x1 + _MARGIN)
        or (window.y1 > 0 and box[1] <= window.y1 + _MARGIN)
        or (window.x2 < width and box[2] >= window.x2 - _MARGIN)
        or (window.y2 < height and box[3] >= window.y2 - _MARGIN)
    )


def _same_object(better: Fragment, other: Fragment) -> bool:
    """Whether two windows show one object.

    They agree in what both windows see; or one is a cut part of the other.
    """
    seen = better.window.intersect(other.window)
    region = seen.intersect(better.extent).intersect(other.extent)
    if region.is_empty:
        return False
    shared = (better.pixels(region) & other.pixels(region)).sum()
    areas = [
        part.pixels(part.extent.intersect(seen)).sum()
        for part in (better, other)
    ]
    if shared and shared >= _SHARED * (sum(areas) - shared):
        return True
    if other.cut and shared >= _SHARED * other.area:
        return True
    # A coarse blob over several objects must not swallow them.
    return (
        better.cut
        and not other.coarse
        and bool(shared >= _SHARED * better.area)
    )


def _order(fragment: Fragment) -> tuple[float, bool, int]:
    score = fragment.segment.score
    return (-1.0 if score is None else -score, fragment.coarse, -fragment.area)


def group_fragments(fragments: Sequence[Fragment]) -> list[list[Fragment]]:
    """Puts the fragments of each object together.

    Two fragments of one window are two objects. Fragments of different
    labels never belong together.

    Args:
        fragments: of one image.

    Returns:
        The best fragment of each group comes first.
    """
    if not fragments:
        return []
    parts = sorted(fragments, key=_order)
    boxes = np.array([part.extent for part in parts])
    labels = np.array([part.segment.label for part in parts])
    windows = np.array([part.number for part in parts])
    home = np.arange(len(parts))
    for i, part in enumerate(parts):
        near = (labels[:i] == labels[i]) & (windows[:i] != windows[i])
        near &= (boxes[:i, :2] < boxes[i, 2:]).all(axis=1)
        near &= (boxes[:i, 2:] > boxes[i, :2]).all(axis=1)
        for j in np.flatnonzero(near):
            mine, other = home == home[i], home == home[j]
            apart = not np.isin(windows[mine], windows[other]).any()
            if apart and _same_object(parts[j], part):
                home[other] = home[i]
    return [
        [parts[k] for k in np.flatnonzero(home == number)]
        for number in dict.fromkeys(home.tolist())
    ]


def _joined(parts: Sequence[Fragment], coarse: Sequence[Fragment]) -> Segment:
    """The union of cut parts, unless they lack much of what is coarse."""
    extents = np.array([part.extent for part in (*parts, *coarse)])
    starts, ends = extents[:, :2].min(axis=0), extents[:, 2:].max(axis=0)
    region = Window(*starts.tolist(), *ends.tolist())
    mask = np.zeros_like(parts[0].pixels(region))
    for part in parts:
        mask |= part.pixels(region)
    for whole in coarse:
        if (mask & whole.pixels(region)).sum() < COVERED * whole.area:
            return whole.segment
    boxes = np.array([part.segment.box for part in parts])
    box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    first = parts[0].segment._replace(box=box)
    if first.mask is None:
        return first
    return first._replace(mask=mask, offset=(region.x1, region.y1)).cropped()


def _as_one(group: Sequence[Fragment]) -> Segment:
    """The best fragment that shows all of the object; else their union."""
    coarse = [part for part in group if part.coarse]
    parts = [part for part in group if part.cut]
    whole = [part for part in group if not part.coarse and not part.cut]
    if whole:
        best = whole[0].segment
    elif parts:
        best = _joined(parts, coarse)
    else:
        best = coarse[0].segment
    return best._replace(score=group[0].segment.score)


def _is_repeated(
    found: Fragment,
    windows: set[int],
    better: Sequence[tuple[Fragment, set[int]]],
) -> bool:
    """Whether better finds cover half of one.

    A find that is whole in its tile stands against what that tile shows
    besides it, and against the shrunk image.

    Args:
        found: what a group was made one.
        windows: numbers of the windows of the group.
        better: the same of groups before.
    """
    region = found.extent
    mask = found.pixels(region)
    covered = np.zeros_like(mask)
    whole = not (found.cut or found.coarse)
    for other, seen in better:
        apart = other.extent.intersect(region).is_empty
        if apart or (whole and (other.coarse or windows & seen)):
            continue
        pixels = other.pixels(region)
        # Boxes of two objects may well lie in each other.
        if found.segment.mask is None:
            shared = pixels.sum()
            if shared < _SHARED * (mask.sum() + other.area - shared):
                continue
        covered |= pixels
    return bool((covered & mask).sum() >= _SHARED * mask.sum())


def merge_fragments(fragments: Sequence[Fragment]) -> list[Segment]:
    """Returns every object once.

    An object has the mask and box of the best fragment of a tile that is not
    cut; else the union of its parts, if they cover what the whole image
    shows; else that of the whole image. Its score is the best one. What is
    left of an object that better ones cover is dropped.

    Args:
        fragments: of one image.

    Returns:
        Objects, those with the highest scores first.
    """
    kept: list[tuple[Fragment, set[int]]] = []
    for group in group_fragments(fragments):
        one = Fragment(
            _as_one(group),
            group[0].window,
            group[0].number,
            cut=all(part.cut for part in group),
            coarse=all(part.coarse for part in group),
        )
        windows = {part.number for part in group}
        rivals = [
            pair for pair in kept if pair[0].segment.label == one.segment.label
        ]
        if not _is_repeated(one, windows, rivals):
            kept.append((one, windows))
    return [one.segment for one, _ in kept]
