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
    points: Tensor, size: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The four pixels around each point, and what each contributes.

    Args:
        points: (..., 2), (x, y) in units of the map's size.
        size: height and width of the map.

    Returns:
        Index into the flattened map, int64 (..., 4), and weight (..., 4),
        zero for a corner that lies outside the map.
    """
    indices, weights = [], []
    for position, length in zip(points.unbind(-1), size[::-1], strict=True):
        position = position * length - 0.5
        first = position.floor()
        share = position - first
        pixels = torch.stack((first, first + 1), -1)
        inside = (pixels >= 0) & (pixels < length)
        weights.append(torch.stack((1 - share, share), -1) * inside)
        # A coordinate that is no number must not read outside either.
        indices.append(pixels.nan_to_num(0).clamp(0, length - 1).long())
    index = indices[1][..., :, None] * size[1] + indices[0][..., None, :]
    weight = weights[1][..., :, None] * weights[0][..., None, :]
    return index.flatten(-2), weight.flatten(-2)


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
    image = torch.arange(batch, device=features.device) * (height * width)
    # Rows of channels side by side in memory (reshape alone may return a
    # view) are read several times faster than one channel after the other.
    table = features.flatten(2).transpose(1, 2).reshape(-1, channels)
    table = table.contiguous()
    sampled = F.embedding_bag(
        (index + image[:, None, None]).flatten(0, 1),
        table,
        mode='sum',
        per_sample_weights=weight.flatten(0, 1).to(features.dtype),
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
    for corner, share in zip(index.T, weight.T, strict=True):
        values += flat.gather(1, corner.expand(len(flat), -1)) * share
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
