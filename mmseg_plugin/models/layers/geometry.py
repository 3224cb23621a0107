"""What depends on the sizes of maps only, made once for each of them."""

import math
from typing import TypeAlias

import torch
import torch.nn.functional as F
from mmdet.models.layers import SinePositionalEncoding
from torch import Tensor

from mmseg_plugin.utils.host import constants, made_once

# Height and width of each level.
Sizes: TypeAlias = tuple[tuple[int, int], ...]


@made_once
def level_geometry(
    sizes: Sizes, device: torch.device
) -> tuple[Tensor, Tensor]:
    """``spatial_shapes`` and ``level_start_index`` of flattened levels.

    Args:
        sizes: height and width of each level.
        device: to make them on.

    Returns:
        Int64 (L, 2) and (L,).
    """
    lengths = [height * width for height, width in sizes]
    starts = tuple(sum(lengths[:level]) for level in range(len(sizes)))
    sides = tuple(side for size in sizes for side in size)
    return (
        constants(sides, device, torch.int64).view(-1, 2),
        constants(starts, device, torch.int64),
    )


@made_once
def level_sides(sizes: Sizes, num_points: int, device: torch.device) -> Tensor:
    """Width and height of each level, at least one, for each of P points.

    Returns:
        Int64 (L, P, 2); repeated, as dividing pairs of numbers is not
        vectorised.
    """
    shapes, _ = level_geometry(sizes, device)
    sides = shapes.flip(-1)[:, None].clamp(min=1)
    return sides.repeat(1, num_points, 1)


def _numbers(length: int, device: torch.device) -> Tensor:
    # Whole numbers and a half have 64 bits in an exported file.
    return torch.arange(length, dtype=torch.float32, device=device)


@made_once
def pixel_centres(
    sizes: Sizes, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """(x, y) in [0, 1] of every pixel of every level, (N, 2)."""
    levels = []
    for size in sizes:
        rows, cols = (
            (_numbers(length, device) + 0.5) / max(length, 1)
            for length in size
        )
        levels.append(torch.cartesian_prod(rows, cols).flip(-1))
    return torch.cat(levels).to(dtype)


@made_once
def box_proposals(sizes: Sizes, device: torch.device) -> tuple[Tensor, Tensor]:
    """Boxes around every pixel, 0.05 wide and high, doubled by each level.

    Returns:
        Logits (1, N, 4) of (cx, cy, w, h), infinite where a centre or a size
        leaves (0.01, 0.99); and whether it does not, bool (1, N, 1).
    """
    levels = []
    for level, (height, width) in enumerate(sizes):
        ys = _numbers(height, device) + 0.5
        xs = _numbers(width, device) + 0.5
        y, x = torch.meshgrid(ys / height, xs / width, indexing='ij')
        extent = torch.full_like(x, 0.05 * 2.0**level)
        levels.append(torch.stack((x, y, extent, extent), -1).flatten(0, 1))
    boxes = torch.cat(levels)[None]
    valid = ((boxes > 0.01) & (boxes < 0.99)).all(-1, keepdim=True)
    logits = (boxes / (1 - boxes)).log()
    return logits.masked_fill(~valid, torch.inf), valid


def sine_positions(
    encoding: SinePositionalEncoding, size: tuple[int, int], like: Tensor
) -> Tensor:
    """Positions (1, h * w, C) of the pixels of a map without padding.

    Args:
        encoding: mmdet's module, which has no state.
        size: height and width of the map.
        like: gives device and type.
    """
    return _positions(_options(encoding), tuple(size), like.device, like.dtype)


def _options(encoding: SinePositionalEncoding) -> tuple:
    return (
        *(encoding.num_feats, encoding.temperature, encoding.normalize),
        *(encoding.scale, encoding.eps, encoding.offset),
    )


@made_once
def _positions(
    options: tuple,
    size: tuple[int, int],
    device: torch.device,
    dtype: torch.dtype,
) -> Tensor:
    no_padding = torch.zeros((1, *size), device=device)
    position = SinePositionalEncoding(*options)(no_padding)
    return position.to(dtype).flatten(2).mT


@made_once
def padding_of(
    full: tuple[int, int],
    size: tuple[int, int],
    shapes: tuple[tuple[int, int], ...],
    device: torch.device,
) -> Tensor:
    """Where maps show no image, bool (B, h, w).

    Args:
        full: height and width of the padded images.
        size: of the maps.
        shapes: of each image, at the top left.
        device: to make it on.
    """
    rows, columns = (
        F.interpolate(_numbers(length, device)[None, None], small).flatten()
        for length, small in zip(full, size, strict=True)
    )
    inside = [
        (rows < height)[:, None] & (columns < width)
        for height, width in shapes
    ]
    return ~torch.stack(inside)


def padded_positions(
    encoding: SinePositionalEncoding,
    full: tuple[int, int],
    size: tuple[int, int],
    shapes: tuple[tuple[int, int], ...],
    device: torch.device,
) -> Tensor:
    """Positions (B, h * w, C) in maps, which count the pixels of the images.

    Args:
        encoding: mmdet's module, which has no state.
        full: see :func:`padding_of`, and so the rest.
        size: the same.
        shapes: the same.
        device: the same.
    """
    return _padded_positions(_options(encoding), full, size, shapes, device)


@made_once
def _padded_positions(
    options: tuple,
    full: tuple[int, int],
    size: tuple[int, int],
    shapes: tuple[tuple[int, int], ...],
    device: torch.device,
) -> Tensor:
    padding = padding_of(full, size, shapes, device)
    return SinePositionalEncoding(*options)(padding).flatten(2).mT


def box_encoding(boxes: Tensor, num_feats: int) -> Tensor:
    """Sine encoding (..., 4 * F) of boxes: of y, x, width and height.

    The numbers of mmdet's ``coordinate_to_encoding``, by a third of its
    operators.

    Args:
        boxes: (..., 4), (cx, cy, w, h) in [0, 1].
        num_feats: F, of each number.
    """
    x, y, width, height = boxes.unbind(-1)
    angles = torch.stack((y, x, width, height), -1) * (2 * math.pi)
    angles = angles[..., None] / _wavelengths(num_feats, boxes.device)
    pairs = (angles[..., 0::2].sin(), angles[..., 1::2].cos())
    return torch.stack(pairs, -1).flatten(-3)


@made_once
def _wavelengths(num_feats: int, device: torch.device) -> Tensor:
    number = torch.arange(num_feats, dtype=torch.float32, device=device)
    return 10000 ** (2 * (number // 2) / num_feats)
