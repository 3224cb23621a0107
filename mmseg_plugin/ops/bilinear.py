"""The pixels around a position on one axis, and what each contributes."""

from typing import NamedTuple

import torch
from torch import Tensor


class Pair(NamedTuple):
    """The pixel before and the pixel after each position.

    Attributes:
        pixel: int32 (..., 2), inside of the map.
        weight: (..., 2), zero for what lies outside.
        slope: derivative of ``weight`` by the position, (..., 2).
    """

    pixel: Tensor
    weight: Tensor
    slope: Tensor


def zero_padded(position: Tensor, length: int | Tensor) -> Pair:
    """Between pixels; outside of the map everything is zero.

    That of deformable convolution and of deformable attention: a position
    at -1 or at ``length`` has no gradient.

    Args:
        position: (...), the first pixel's centre is at 0.
        length: of the axis, or tensors that broadcast with ``position``.
    """
    low = position.floor()
    share = position - low
    valid = (position > -1) & (position < length)
    inside = torch.stack([valid & (low >= 0), valid & (low + 1 < length)], -1)
    both = torch.stack([low, low + 1], -1)
    index = both.where(inside, 0).int()
    weight = torch.stack([1 - share, share], -1).where(inside, 0)
    sign = share.new_ones(2)
    sign[0] = -1
    return Pair(index, weight, sign * inside)


def neighbours(
    position: Tensor, length: int | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The pixels before and after a position; zero outside of the map.

    Those of :func:`zero_padded` with both in front, so that what follows is
    vectorised, and differentiable.

    Args:
        position: (...), the first pixel's centre is at 0. The gradient flows
            into the weights.
        length: of the axis, or tensors that broadcast with ``position``.

    Returns:
        Pixels, int32 (2, ...), their weights (2, ...), and whether they are
        inside of the map, bool (2, ...).
    """
    first = position.detach().floor()
    share = position - first
    pixels = torch.stack((first, first + 1))
    inside = (pixels >= 0) & (pixels < length)
    # A coordinate that is no number must not read outside either.
    index = pixels.where(inside, 0).int()
    return index, torch.stack((1 - share, share)) * inside, inside


def edge_padded(position: Tensor, length: int) -> Pair:
    """Between pixels; the edge's value up to one pixel outside, then zero.

    That of RoIAlign and its kin.

    Args:
        position: (...), the first pixel's centre is at 0.
        length: of the axis.
    """
    valid = (position >= -1) & (position <= length)
    last = length - 1
    inner = position.where(valid, 0).clamp(0, last)
    low = inner.floor()
    share = inner - low
    both = torch.stack([low, (low + 1).clamp(max=last)], -1)
    weight = torch.stack([1 - share, share], -1)
    sign = share.new_ones(2)
    sign[0] = -1
    inside = valid[..., None]
    return Pair(both.int(), weight.where(inside, 0), sign * inside)


def corners(rows: Pair, columns: Pair, width: int | Tensor) -> Tensor:
    """Indices of the four pixels in a flattened map, int32 (..., 4)."""
    if isinstance(width, Tensor):
        width = width[..., None]
    first = rows.pixel * width
    return (first[..., :, None] + columns.pixel[..., None, :]).flatten(-2)


def outer(rows: Tensor, columns: Tensor) -> Tensor:
    """Products of (..., K) and (..., L), as (..., K * L)."""
    return (rows[..., :, None] * columns[..., None, :]).flatten(-2)
