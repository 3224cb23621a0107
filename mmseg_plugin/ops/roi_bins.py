"""Which pixels the bins of regions of interest average, axis by axis."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .bilinear import edge_padded


class Spread(NamedTuple):
    """The pixels of one axis that each bin takes, and their shares.

    Attributes:
        pixel: int32 (R, bins, K).
        weight: (R, bins, K).
    """

    pixel: Tensor
    weight: Tensor


class Samples(NamedTuple):
    """Where each bin is sampled on one axis.

    Attributes:
        position: (R, bins, G).
        share: one over their number, zero for those that a region has not;
            (R, 1, G).
    """

    position: Tensor
    share: Tensor


def samples(
    start: Tensor, end: Tensor, bins: int, sampling_ratio: int
) -> Samples:
    """Places evenly spaced in each bin.

    With ``sampling_ratio`` 0 their number is the length of a bin, rounded
    up: the largest one takes a synchronisation.

    Args:
        start: of each region, (R,).
        end: of each region, (R,).
        bins: that it is divided into.
        sampling_ratio: samples of a bin; 0 for as many as it has pixels.
    """
    length = end - start
    size = length / bins
    if sampling_ratio > 0:
        count = torch.full_like(start, sampling_ratio)
        most = sampling_ratio
    else:
        count = (length / bins).ceil().clamp(min=0)
        most = int(count.max()) if count.numel() else 0
    number = torch.arange(most, device=start.device, dtype=start.dtype)
    first = torch.arange(bins, device=start.device, dtype=start.dtype)
    base = start[:, None] + first * size[:, None]
    safe = count.clamp(min=1)[:, None]
    inner = (number + 0.5) * size[:, None] / safe
    share = (number < count[:, None]) / safe
    return Samples(base[..., None] + inner[:, None], share[:, None])


def spread(found: Samples, length: int, *, compact: bool) -> Spread:
    """Sums the shares of samples that fall on the same pixel.

    Args:
        found: of one axis.
        length: of the map on that axis.
        compact: whether to look how few pixels hold all samples of a bin,
            which takes a synchronisation.
    """
    pair = edge_padded(found.position, length)
    index = pair.pixel.flatten(2)
    weight = (pair.weight * found.share[..., None]).flatten(2)
    if not (compact and index.numel()):
        return Spread(index, weight)
    used = weight != 0
    low = index.where(used, length).amin(2, keepdim=True)
    high = index.where(used, -1).amax(2, keepdim=True)
    window = max(int((high - low).max()) + 1, 1)
    if window >= index.shape[2]:
        return Spread(index, weight)
    slot = (index - low).where(used, 0).clamp(0, window - 1)
    sums = weight.new_zeros(*index.shape[:2], window)
    sums.scatter_add_(2, slot.long(), weight)
    step = torch.arange(window, device=index.device, dtype=torch.int32)
    return Spread((low + step).clamp(0, length - 1), sums)


def region(
    rois: Tensor, spatial_scale: float, *, aligned: bool
) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Regions in pixels of the map.

    Args:
        rois: (R, 5), image and (x1, y1, x2, y2).
        spatial_scale: size of the map over that of the boxes' image.
        aligned: whether pixel centres lie at half numbers; otherwise a
            region is at least one pixel wide and high.

    Returns:
        Image of each, int32 (R,), and start and end of rows and of columns.
    """
    rois = at_least_float32(rois)
    image = rois[:, 0].int()
    x1, y1, x2, y2 = (rois[:, 1:] * spatial_scale).unbind(1)
    axes = [(y1, y2), (x1, x2)]
    if aligned:
        return image, [(start - 0.5, end - 0.5) for start, end in axes]
    return image, [
        (start, start + (end - start).clamp(min=1)) for start, end in axes
    ]


def samples_of_bins(
    rois: Tensor,
    bins: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[Tensor, list[Samples]]:
    """Image of each region, (R,), and samples of its rows and columns.

    Args:
        rois: (R, 5).
        bins: (h, w) of the output.
        spatial_scale: see :func:`region`, like ``aligned``.
        sampling_ratio: see :func:`samples`.
        aligned: there.
    """
    image, axes = region(rois, spatial_scale, aligned=aligned)
    return image, [
        samples(*axis, count, sampling_ratio)
        for axis, count in zip(axes, bins, strict=True)
    ]
