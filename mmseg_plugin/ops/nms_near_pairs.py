"""Non-maximum suppression on a CPU, by the few pairs that can overlap.

An overlap of boxes is at most that of their sides on each axis, so boxes
that begin too far from each other need not be compared. Where classes were
moved apart that leaves a small part of all pairs.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .greedy import overlaps

# Pairs that are looked at together: so many, or so many a box.
_PAIRS, _PER_BOX = 2**15, 4
# More than what float32 makes of an overlap.
_SLACK = 1e-5


class Span(NamedTuple):
    """Where others that each box can overlap enough begin, on one axis.

    Attributes:
        start: where the box itself begins, float64 (N,).
        low: the least, (N,).
        high: the most, (N,).
    """

    start: Tensor
    low: Tensor
    high: Tensor


class Line(NamedTuple):
    """Boxes by where they begin on one axis.

    Attributes:
        box: which box is at each place, int64 (N,).
        first: first place of those that each box can overlap enough, (N,).
        near: how many places that are, (N,).
        across: what those have to keep to on the other axis.
    """

    box: Tensor
    first: Tensor
    near: Tensor
    across: Span

    def pairs(self) -> int:
        """How many have to be looked at."""
        return int(self.near.sum())


def nearest_line(boxes: Tensor, offset: int, limit: float) -> Line:
    """Boxes (4, N) on the axis where fewer are near each other.

    Args as of :func:`stays_of_near_pairs`.
    """
    spans = [
        _span(boxes[axis].double(), boxes[axis + 2].double() + offset, limit)
        for axis in (0, 1)
    ]
    lines = (_line(spans[0], spans[1]), _line(spans[1], spans[0]))
    return min(lines, key=Line.pairs)


def stays_of_near_pairs(
    boxes: Tensor, line: Line, offset: int, limit: float
) -> Tensor:
    """Which boxes overlap no better one that stays too much.

    They are taken in their order, as many at a time as have a certain
    number of others near them, without those that were dropped until then.

    Args:
        boxes: (4, N), by falling score, float32.
        line: of :func:`nearest_line`.
        offset: 0 or 1, added to the sides of boxes.
        limit: overlaps above it are too much, not negative.

    Returns:
        Indices, int64 (K,).
    """
    count = boxes.shape[1]
    most = max(_PAIRS, _PER_BOX * count)
    stays = torch.ones(count, dtype=torch.bool)
    left = torch.arange(count)
    while len(left):
        pairs = line.near[left].cumsum(0)
        taken = max(1, int((pairs <= most).sum()))
        first, second = _near(left[:taken], line, stays)
        one, other = (
            [side.index_select(0, which) for side in boxes]
            for which in (first, second)
        )
        over = overlaps(one, other, offset) > limit
        _drop(stays, first[over], second[over])
        left = left[taken:]
        left = left[stays[left]]
    return stays.nonzero()[:, 0]


def _span(start: Tensor, end: Tensor, limit: float) -> Span:
    """Of boxes from ``start`` to ``end`` (N,)."""
    side = end - start
    least = max(limit - _SLACK, 0)
    # One that begins earlier may be longer by so much.
    longest = (side / least).fmin(side.max()) if len(side) else side
    part = 1 - least
    return Span(start, start - part * longest, start + part * side)


def _line(along: Span, across: Span) -> Line:
    begins, box = along.start.sort()
    first = torch.searchsorted(begins, along.low)
    last = torch.searchsorted(begins, along.high, right=True)
    return Line(box, first, (last - first).clamp(min=0), across)


def _near(some: Tensor, line: Line, stays: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of some boxes with those behind them that may overlap.

    Args:
        some: indices of boxes, rising.
        line: of all boxes.
        stays: which have not been dropped, bool (N,).

    Returns:
        The first, rising, and the second of each pair.
    """
    count = line.near[some]
    shift = line.first[some] - (count.cumsum(0) - count)
    place = shift.repeat_interleave(count)
    place += torch.arange(len(place))
    # One number at a time, which is several times as fast as indexing.
    second = line.box.where(stays[line.box], -1).index_select(0, place)
    first = some.repeat_interleave(count)
    start, low, high = line.across
    start = start[line.box].index_select(0, place)
    near = second > first
    near &= start >= low.index_select(0, first)
    near &= start <= high.index_select(0, first)
    pairs = near.nonzero()[:, 0]
    return first.index_select(0, pairs), second.index_select(0, pairs)


def _drop(stays: Tensor, first: Tensor, second: Tensor) -> None:
    """Takes out of ``stays`` what pairs with one that stays."""
    kept, others = stays.numpy(), second.numpy()
    better, count = first.unique_consecutive(return_counts=True)
    end = count.cumsum(0)
    for box, begin, until in zip(
        better.tolist(), (end - count).tolist(), end.tolist(), strict=True
    ):
        if kept[box]:
            kept[others[begin:until]] = False
