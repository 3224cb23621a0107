"""Bilinear sampling of feature maps and of binary masks at points.

Points are (x, y) in [0, 1] of the padded image; what lies outside counts as
zero. The numbers are those of ``F.grid_sample(2 * points - 1,
align_corners=False)``, of which both functions are the fast special cases
that matching and mask losses need.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def bilinear_corners(
    points: Tensor, size: Sequence[int | Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """The four pixels around each point, and what each contributes.

    Args:
        points: (..., 2), (x, y) in units of the map's size. The gradient
            flows into the weights.
        size: height and width of the map, or tensors that broadcast with
            (...).

    Returns:
        Of each corner the index into the flattened map, int32 (...), and the
        weight (...), zero where the corner lies outside the map.
    """
    # Each coordinate by itself: a last dimension of two cannot be vectorised.
    columns, rows = (
        _neighbours(position, length)
        for position, length in zip(points.unbind(-1), size[::-1], strict=True)
    )
    indices = [
        row * size[1] + column for row, _ in rows for column, _ in columns
    ]
    weights = [height * width for _, height in rows for _, width in columns]
    return indices, weights


def _neighbours(
    position: Tensor, length: int | Tensor
) -> list[tuple[Tensor, Tensor]]:
    """The pixels before and after a position, and what each contributes."""
    position = position * length - 0.5
    first = position.detach().floor()
    share = position - first
    found = []
    for pixel, weight in ((first, 1 - share), (first + 1, share)):
        inside = (pixel >= 0) & (pixel < length)
        # A coordinate that is no number must not read outside either.
        found.append((pixel.where(inside, 0).int(), weight * inside))
    return found


def sample_features(features: Tensor, points: Tensor) -> Tensor:
    """Features at points, every channel.

    Args:
        features: (B, D, h, w).
        points: (B, K, 2), (x, y) in [0, 1].

    Returns:
        (B, K, D); gradients flow into the features, not into the points.
    """
    batch, channels, height, width = features.shape
    num_points = points.shape[1]
    index, weight = bilinear_corners(points.detach(), (height, width))
    image = torch.arange(batch, device=features.device, dtype=torch.int32)
    shares = torch.stack(weight, -1)
    rows = torch.stack(index, -1) + (image * (height * width))[:, None, None]
    # Rows of channels side by side in memory (reshape alone may return a
    # view) are read several times faster than one channel after the other.
    table = features.flatten(2).transpose(1, 2).reshape(-1, channels)
    table = table.contiguous()
    sampled = F.embedding_bag(
        rows.flatten(0, 1),
        table,
        mode='sum',
        per_sample_weights=shares.flatten(0, 1).to(features.dtype),
    )
    return sampled.reshape(batch, num_points, channels)


def sample_masks(masks: Tensor, points: Tensor) -> Tensor:
    """Binary masks at points shared by all, never as a float copy.

    Args:
        masks: bool or uint8 (N, H, W), values 0 and 1.
        points: (K, 2), (x, y) in [0, 1].

    Returns:
        Values in [0, 1], (N, K), of the points' type.
    """
    flat = masks.flatten(1).view(torch.uint8)
    index, weight = bilinear_corners(points, masks.shape[-2:])
    values = points.new_zeros(len(masks), len(points))
    for corner, share in zip(index, weight, strict=True):
        values += flat.gather(1, corner.long().expand(len(flat), -1)) * share
    return values


def sample_maps(maps: Tensor, points: Tensor) -> Tensor:
    """Each map at its own points.

    Args:
        maps: (N, h, w).
        points: (N, K, 2), (x, y) in [0, 1].

    Returns:
        (N, K).
    """
    grid = (2 * points - 1)[:, None]
    return F.grid_sample(maps[:, None], grid, align_corners=False)[:, 0, 0]


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of (n, h, w) maps; the same tensor if they fit."""
    if maps.shape[-2:] == tuple(size):
        return maps
    if not len(maps):
        return maps.new_empty(0, *size)
    return F.interpolate(
        maps[:, None], size, mode='bilinear', align_corners=False
    )[:, 0]
