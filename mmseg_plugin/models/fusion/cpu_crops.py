"""Parts of resized masks that may pass a threshold, and no more: for CPUs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.structures import boxes_of


class Crop(NamedTuple):
    """A part of a result-sized map, and where it lies.

    Attributes:
        pixels: (n, height, width).
        top: row of the first pixel in the whole map.
        left: column of the first pixel in the whole map.
    """

    pixels: Tensor
    top: int
    left: int


class _Axis:
    """One axis of a bilinear resize, for any range of its outputs.

    ``torch.addcmul`` rounds as :func:`torch.nn.functional.interpolate` does,
    so a range has the bits of the same range of the whole.
    """

    def __init__(self, size_in: int, size_out: int, device: torch.device):
        centre = torch.arange(size_out, device=device) + 0.5
        scale = torch.full_like(centre, size_in) / size_out
        source = torch.addcmul(torch.full_like(centre, -0.5), centre, scale)
        source = source.clamp_(min=0)
        self.near = source.long().clamp_(max=size_in - 1)
        self.far = (self.near + 1).clamp_(max=size_in - 1)
        self.far_weight = (source - self.near).clamp_(0, 1)
        self.near_weight = 1 - self.far_weight
        self.same = size_in == size_out
        if self.same:
            self.far = self.near
        self._near, self._far = self.near.cpu().numpy(), self.far.cpu().numpy()

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

    def blend(
        self, maps: Tensor, dim: int, span: tuple[int, int], start: int
    ) -> Tensor:
        """Outputs ``span`` of ``maps``, whose first input is ``start``."""
        if self.same:
            return maps.narrow(dim, span[0] - start, span[1] - span[0])
        part = slice(*span)
        shape = [-1 if d == dim else 1 for d in range(maps.dim())]
        near = maps.index_select(dim, self.near[part] - start)
        far = maps.index_select(dim, self.far[part] - start)
        return torch.addcmul(
            far.mul_(self.far_weight[part].view(shape)),
            near,
            self.near_weight[part].view(shape),
        )


class _Spans(NamedTuple):
    """Ranges of one axis for n maps, each (n, 2) ``[start, stop)``."""

    low: np.ndarray
    padded: np.ndarray
    out: np.ndarray


def above(
    maps: QueryMaps, queries: Tensor, threshold: float
) -> Iterator[Crop]:
    """For each query the part of its map that may exceed a threshold.

    A bilinear value lies between those it is made of, so nothing
    outside the reach of the predicted pixels above the threshold is.

    Args:
        maps: mask logits of one image.
        queries: (n,).
        threshold: logit.

    Yields:
        n crops with logits (1, height, width); empty where no logit of
        the query is above the threshold.
    """
    low = maps.low(queries)
    device = low.device
    boxes = boxes_of(low > threshold)[0].cpu().numpy().astype(np.int64)
    axes = [
        (
            _Axis(low.shape[-2:][i], maps.sizes.padded[i], device),
            _Axis(maps.sizes.image[i], maps.sizes.out[i], device),
        )
        for i in (0, 1)
    ]
    rows = _ranges(axes[0], boxes[:, 1::2], maps.sizes.image[0])
    cols = _ranges(axes[1], boxes[:, 0::2], maps.sizes.image[1])
    for i, logits in enumerate(low):
        row, col = (_Spans(*(s[i] for s in spans)) for spans in (rows, cols))
        yield _cut(logits[None], axes, row, col)


def _ranges(axis: tuple[_Axis, _Axis], low: np.ndarray, size: int) -> _Spans:
    """Output ranges that ``low`` reaches, and what they are made of."""
    pad, final = axis
    out = final.reached_from(pad.reached_from(low).clip(max=size))
    padded = final.needed_for(out)
    return _Spans(pad.needed_for(padded), padded, out)


def _cut(
    logits: Tensor,
    axes: list[tuple[_Axis, _Axis]],
    row: _Spans,
    col: _Spans,
) -> Crop:
    """Both resizes of one map (1, h, w), as far as ``out`` needs."""
    (top, bottom), (left, right) = row.out, col.out
    if top == bottom or left == right:
        return Crop(logits.new_empty(1, 0, 0), 0, 0)
    maps = logits[:, slice(*row.low), slice(*col.low)]
    steps = (row.low, row.padded, row.out), (col.low, col.padded, col.out)
    for step in (0, 1):
        # Columns first, as interpolate does, for the same bits.
        for axis, dim in ((1, 2), (0, 1)):
            before, after = steps[axis][step : step + 2]
            maps = axes[axis][step].blend(maps, dim, after, before[0])
    return Crop(maps, int(top), int(left))
