"""Resized masks on a CPU: whole ones, or what may pass a threshold."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.utils.host import MOST_SIZES

# Values that a core's cache holds.
CACHED = 2**18


class Crop(NamedTuple):
    """A part of a result-sized map, and where it lies.

    Attributes:
        pixels: (height, width).
        top: row of the first pixel in the whole map.
        left: column of the first pixel in the whole map.
    """

    pixels: Tensor
    top: int
    left: int


class _Taps(NamedTuple):
    """Which inputs make some outputs, and their weights, a column each.

    ``far`` is None where an output is an input.
    """

    near: Tensor
    far: Tensor | None
    near_weight: Tensor
    far_weight: Tensor

    def blend(self, maps: Tensor) -> Tensor:
        """The outputs of maps (..., inputs, n), (..., outputs, n).

        Rows lie together in memory, so that picking them is cheap.
        """
        near = maps.index_select(-2, self.near)
        if self.far is None:
            return near
        far = maps.index_select(-2, self.far).mul_(self.far_weight)
        return torch.addcmul(far, near, self.near_weight)


class _Axis:
    """One axis of a bilinear resize, for any range of its outputs.

    ``torch.addcmul`` rounds as :func:`torch.nn.functional.interpolate` does,
    so a range has the bits of the same range of the whole.
    """

    def __init__(self, size_in: int, size_out: int):
        centre = torch.arange(size_out) + 0.5
        scale = torch.full_like(centre, size_in) / size_out
        source = torch.addcmul(torch.full_like(centre, -0.5), centre, scale)
        source = source.clamp_(min=0)
        near = source.long().clamp_(max=size_in - 1)
        far = (near + 1).clamp_(max=size_in - 1)
        weight = (source - near).clamp_(0, 1)[:, None]
        self.same = size_in == size_out
        self.taps = _Taps(near, None if self.same else far, 1 - weight, weight)
        self._near = near.numpy()
        self._far = self._near if self.same else far.numpy()

    def reached_from(self, span: np.ndarray) -> np.ndarray:
        """Outputs (n, 2) that any of the inputs ``[start, stop)`` touches."""
        start = np.searchsorted(self._far, span[:, 0])
        stop = np.searchsorted(self._near, span[:, 1])
        return np.stack([start, np.maximum(start, stop)], 1)

    def needed_for(self, span: np.ndarray) -> np.ndarray:
        """Inputs (n, 2) that the outputs ``[start, stop)`` are made of."""
        last = len(self._far) - 1
        start = self._near[span[:, 0].clip(max=last)]
        return np.stack([start, self._far[(span[:, 1] - 1).clip(0)] + 1], 1)

    def tap(self, outputs: slice | Tensor, start: int) -> _Taps:
        """How outputs are made of the inputs from ``start`` on."""
        near, far, *weights = self.taps
        return _Taps(
            near[outputs] - start,
            None if far is None else far[outputs] - start,
            *(weight[outputs] for weight in weights),
        )


class _Spans(NamedTuple):
    """Ranges of one axis for n maps, each (n, 2) ``[start, stop)``."""

    low: np.ndarray
    padded: np.ndarray
    out: np.ndarray

    def of(self, i: int) -> '_Spans':
        """Those of one map, (2,)."""
        return _Spans(*(span[i] for span in self))


class _Part(NamedTuple):
    """How a part of the result of a map is made.

    Attributes:
        low: which rows and columns of the map.
        first: taps of the first resize's columns and rows, the columns being
            those that the second one is made of: near ones, then far ones.
        columns: weights (n,) of the second resize's near and far columns;
            None if it has none.
        rows: taps of the second resize's rows, or which they are.
    """

    low: tuple[slice, slice]
    first: tuple[_Taps, _Taps]
    columns: tuple[Tensor, Tensor] | None
    rows: _Taps | slice

    def of(self, maps: Tensor) -> Tensor:
        """The part of maps (..., h, w).

        Columns are blended first, as ``interpolate`` does, for the same
        bits; those of the second resize are picked before there are many
        rows, which changes no number.
        """
        rows, columns = self.low
        low = maps[..., rows, columns]
        maps = self.first[0].blend(low.mT.contiguous())
        maps = self.first[1].blend(maps.mT.contiguous())
        if self.columns is not None:
            near, far = maps.chunk(2, -1)
            near_weight, far_weight = self.columns
            maps = torch.addcmul(far.mul_(far_weight), near, near_weight)
        if isinstance(self.rows, slice):
            return maps[..., self.rows, :]
        return self.rows.blend(maps)


class Resizes:
    """Both resizes of maps of one size.

    Args:
        low: height and width of the maps.
        sizes: padded, image and result size.
    """

    def __init__(self, low: tuple[int, int], sizes: Sizes) -> None:
        self.rows, self.columns = (
            (
                _Axis(low[i], sizes.padded[i]),
                _Axis(sizes.image[i], sizes.out[i]),
            )
            for i in (0, 1)
        )
        self.size = sizes.image
        near, far, *_ = self.columns[1].taps
        self.padded_columns = None if far is None else torch.stack((near, far))
        height, width = low
        every = self.spans(np.array([[0, 0, width, height]]))
        self.whole = self.part(*(spans.of(0) for spans in every))

    def spans(self, boxes: np.ndarray) -> tuple[_Spans, _Spans]:
        """Rows and columns that boxes (n, 4) of low pixels reach."""
        return (
            self._ranges(self.rows, boxes[:, 1::2], self.size[0]),
            self._ranges(self.columns, boxes[:, 0::2], self.size[1]),
        )

    @staticmethod
    def _ranges(
        axis: tuple[_Axis, _Axis], low: np.ndarray, size: int
    ) -> _Spans:
        """Output ranges that ``low`` reaches, and what they are made of."""
        pad, final = axis
        out = final.reached_from(pad.reached_from(low).clip(max=size))
        padded = final.needed_for(out)
        return _Spans(pad.needed_for(padded), padded, out)

    def part(self, row: _Spans, column: _Spans) -> _Part:
        """How the part ``out`` is made."""
        chosen = slice(*column.out)
        made_of: slice | Tensor = chosen
        pad, final = self.rows
        weights = None
        if self.padded_columns is not None:
            made_of = self.padded_columns[:, chosen].flatten()
            _, _, near, far = self.columns[1].taps
            weights = near[chosen, 0], far[chosen, 0]
        first = int(row.padded[0])
        return _Part(
            (slice(*row.low), slice(*column.low)),
            (
                self.columns[0].tap(made_of, int(column.low[0])),
                pad.tap(slice(*row.padded), int(row.low[0])),
            ),
            weights,
            slice(*(row.out - first))
            if final.same
            else final.tap(slice(*row.out), first),
        )


_resizes = lru_cache(MOST_SIZES)(Resizes)


def each(low: Tensor, sizes: Sizes) -> Iterator[Tensor]:
    """Maps (n, h, w) after both resizes, n times (*out).

    In a fraction of the time of :func:`torch.nn.functional.interpolate`, and
    with its bits but for the smallest results, for which it has another
    kernel.
    """
    part = _resizes(tuple(low.shape[-2:]), sizes).whole
    height, width = map(max, zip(*sizes, strict=True))
    for chunk in low.split(max(CACHED // (height * width), 1)):
        yield from part.of(chunk)


def whole(low: Tensor, sizes: Sizes) -> Tensor:
    """All of :func:`each`, (n, *out)."""
    out = low.new_empty(len(low), *sizes.out)
    for result, logits in zip(out, each(low, sizes), strict=True):
        result.copy_(logits)
    return out


def above(low: Tensor, sizes: Sizes, threshold: float) -> Iterator[Crop]:
    """For each map the part that may exceed a threshold.

    A bilinear value lies between those it is made of, so nothing
    outside the reach of the predicted pixels above the threshold is.

    Args:
        low: (n, h, w), logits.
        sizes: padded, image and result size.
        threshold: logit.

    Yields:
        n crops with logits; empty where no logit is above the threshold.
    """
    resizes = _resizes(tuple(low.shape[-2:]), sizes)
    rows, columns = resizes.spans(_low_boxes(low, threshold))
    for i, logits in enumerate(low):
        row, column = rows.of(i), columns.of(i)
        (top, bottom), (left, right) = row.out, column.out
        if top == bottom or left == right:
            yield Crop(low.new_empty(0, 0), 0, 0)
            continue
        pixels = resizes.part(row, column).of(logits)
        yield Crop(pixels, int(top), int(left))


def _low_boxes(low: Tensor, threshold: float) -> np.ndarray:
    """Boxes (n, 4) around what is above; what is no number may be."""
    spans = [spans_of(~(low.amax(dim).numpy() <= threshold)) for dim in (1, 2)]
    (x1, x2), (y1, y2) = spans
    return np.stack([x1, y1, x2, y2], 1)


def spans_of(hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First hit of each row of a bool array, and the one after the last.

    Args:
        hits: (n, size).

    Returns:
        Two (n,), both zero where there is no hit.
    """
    if not hits.size:
        none = np.zeros(len(hits), np.int64)
        return none, none
    some = hits.any(1)
    first = hits.argmax(1)
    last = hits.shape[1] - hits[:, ::-1].argmax(1)
    return first * some, last * some
