"""Bilinear sampling of feature maps and of binary masks at points.

Points are (x, y) in [0, 1] of the padded image, places the same in [-1, 1];
what lies outside counts as zero. The numbers are those of
``F.grid_sample(2 * points - 1, align_corners=False)``, of which these are the
fast special cases that matching and mask losses need.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.ops.bilinear import neighbours
from mmseg_plugin.structures.map_chunks import map_budget


def bilinear_corners(
    points: Tensor, size: Sequence[int | Tensor]
) -> tuple[Tensor, Tensor]:
    """The four pixels around each point, and what each contributes.

    Args:
        points: (..., 2), (x, y) in units of the map's size. The gradient
            flows into the weights.
        size: height and width of the map, or tensors that broadcast with
            (...).

    Returns:
        Index of each corner into the flattened map, int32 (4, ...), and its
        weight (4, ...), zero where the corner lies outside the map.
    """
    # Each coordinate by itself: a last dimension of two cannot be vectorised.
    (column, width, _), (row, height, _) = (
        neighbours(position * length - 0.5, length)
        for position, length in zip(points.unbind(-1), size[::-1], strict=True)
    )
    index = row[:, None] * size[1] + column
    return index.flatten(0, 1), (height[:, None] * width).flatten(0, 1)


class PixelRows(torch.autograd.Function):
    """Channels of a pixel side by side: they are read several times faster.

    Each image by itself: PyTorch's fast transposition is for matrices alone.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B * h * w, D)."""
        ctx.shape = features.shape
        maps = features.flatten(2)
        rows = maps.new_empty(maps.mT.shape)
        for here, pixels in zip(rows, maps, strict=True):
            here.copy_(pixels.T)
        return rows.flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        batch, _, *size = ctx.shape
        return grad.unflatten(0, (batch, -1)).mT.unflatten(2, size)


def sample_features(features: Tensor, points: Tensor) -> Tensor:
    """Features at points, every channel.

    Args:
        features: (B, D, h, w).
        points: (B, K, 2), (x, y) in [0, 1].

    Returns:
        (B, K, D); gradients flow into the features, not into the points.
    """
    batch, _, height, width = features.shape
    num_points = points.shape[1]
    index, weight = bilinear_corners(points.detach(), (height, width))
    first = torch.arange(batch, device=features.device, dtype=torch.int32)
    first *= height * width
    # Corners last: (B * K, 4), as embedding_bag takes them.
    rows = (index + first[:, None]).flatten(1).T.contiguous()
    shares = weight.flatten(1).T.to(features.dtype).contiguous()
    sampled = F.embedding_bag(
        rows,
        PixelRows.apply(features),
        mode='sum',
        per_sample_weights=shares,
    )
    return sampled.unflatten(0, (batch, num_points))


def sample_masks(
    masks: Sequence[Tensor], points: Tensor, budget: int | None = None
) -> list[Tensor]:
    """Binary masks at points shared by all of an image, not made float.

    Args:
        masks: of each of B images, bool or uint8 (N_i, H, W), values 0 and 1.
        points: (B, K, 2), (x, y) in [0, 1].
        budget: most values at a time, see :func:`map_budget`.

    Returns:
        Values in [0, 1], (N_i, K) for each image, of the points' type.
    """
    index, weight = bilinear_corners(points, masks[0].shape[-2:])
    # (B, 4 K) and (B, 4, K): one gather reads all corners.
    index = index.transpose(0, 1).flatten(1).long()
    weight = weight.transpose(0, 1)
    step = max(map_budget(points.device, budget) // max(index.shape[1], 1), 1)
    values = []
    for image_masks, corners, shares in zip(masks, index, weight, strict=True):
        parts = [
            part.gather(1, corners.expand(len(part), -1))
            .view(len(part), *shares.shape)
            .mul(shares)
            .sum(1)
            for part in image_masks.flatten(1).view(torch.uint8).split(step)
        ]
        values.append(parts[0] if len(parts) == 1 else torch.cat(parts))
    return values


def sample_maps(maps: Tensor, points: Tensor) -> Tensor:
    """Each map at its own points.

    Args:
        maps: (N, h, w).
        points: (N, K, 2), (x, y) in [0, 1].

    Returns:
        (N, K).
    """
    return sample_grid(maps, 2 * points - 1)


def sample_grid(maps: Tensor, places: Tensor) -> Tensor:
    """Each map (N, h, w) at its own places (N, K, 2) in [-1, 1]: (N, K)."""
    return F.grid_sample(maps[:, None], places[:, None], align_corners=False)[
        :, 0, 0
    ]


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of (n, h, w) maps; the same tensor if they fit."""
    if maps.shape[-2:] == tuple(size):
        return maps
    if not len(maps):
        return maps.new_empty(0, *size)
    return F.interpolate(
        maps[:, None], size, mode='bilinear', align_corners=False
    )[:, 0]
