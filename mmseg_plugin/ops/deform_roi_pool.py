"""Deformable RoI pooling ("Deformable ConvNets", arXiv 1703.06211, 2.2)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .bilinear import corners, edge_padded, outer
from .roi_bins import region, samples
from .rows import as_maps, as_table, gather_rows, row_products, scatter_rows

# Indices of pixels that are made at once.
_CHUNK = 2**20


def deform_roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    output: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Means of bilinear samples of bins that are each moved by an offset.

    Args:
        input: (B, C, H, W).
        rois: (R, 5), image and (x1, y1, x2, y2).
        offset: (R, 2, h, w), x and y, or empty for none; in sizes of the
            region times ``gamma``.
        output: written to, (R, C, h, w).
        pooled_height: h.
        pooled_width: w.
        spatial_scale: size of the map over that of the boxes' image.
        sampling_ratio: samples of a bin on each axis; 0 for one a pixel,
            for whose number the host waits.
        gamma: see ``offset``.
    """
    bins = (pooled_height, pooled_width)
    moved = _Moved(input, rois, offset, bins, spatial_scale, gamma)
    table = as_table(input)
    for part in moved.chunks(sampling_ratio):
        sums = gather_rows(table, part.index, part.weight)
        sums = sums.view(-1, *bins, input.shape[1])
        output[part.regions] = sums.permute(0, 3, 1, 2).to(output.dtype)


def deform_roi_pool_backward(
    grad_output: Tensor,
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Writes the gradients of ``input`` and ``offset``, their shapes.

    Args as of :func:`deform_roi_pool_forward`; ``grad_output`` is
    (R, C, h, w).
    """
    bins = (pooled_height, pooled_width)
    moved = _Moved(input, rois, offset, bins, spatial_scale, gamma)
    table = as_table(input)
    total = torch.zeros_like(table)
    for part in moved.chunks(sampling_ratio):
        grad = as_table(grad_output[part.regions])
        total += scatter_rows(grad, part.index, part.weight, len(table))
        if offset.numel():
            products = row_products(grad, table, part.index)
            by_shift = torch.stack(
                [
                    (products * slope).sum(1).view(-1, *bins)
                    for slope in (part.along, part.down)
                ],
                1,
            )
            scale = moved.scale[part.regions]
            grad_offset[part.regions] = (by_shift * scale).to(grad_offset)
    grad_input.copy_(as_maps(total, input))


class _Part:
    """Pixels of the bins of some regions, and their shares.

    Attributes:
        regions: which of all.
        index: int32 (N, K), N bins of K pixels.
        weight: (N, K).
        along: derivative of ``weight`` by x, (N, K).
        down: the same by y.
    """

    def __init__(
        self,
        regions: slice,
        image: Tensor,
        axes: list[tuple[Tensor, Tensor]],
        size: torch.Size,
    ) -> None:
        self.regions = regions
        (y, y_share), (x, x_share) = axes
        rows, columns = edge_padded(y, size[2]), edge_padded(x, size[3])
        # (R, h, w, 2 * samples), of either axis.
        share = y_share[..., None], x_share[..., None]
        down, along = (
            pair._replace(
                pixel=pair.pixel.flatten(3),
                weight=(pair.weight * part).flatten(3),
                slope=(pair.slope * part).flatten(3),
            )
            for pair, part in zip((rows, columns), share, strict=True)
        )
        first = image[:, None, None, None] * (size[2] * size[3])
        index = corners(down, along, size[3]) + first
        self.index = index.flatten(0, 2)
        self.weight = outer(down.weight, along.weight).flatten(0, 2)
        self.along = outer(down.weight, along.slope).flatten(0, 2)
        self.down = outer(down.slope, along.weight).flatten(0, 2)


class _Moved:
    """Bins of regions, each with its offset.

    Args as of :func:`deform_roi_pool_forward`.

    Attributes:
        scale: pixels of an offset of one, x and y, (R, 2, 1, 1).
    """

    def __init__(
        self,
        input: Tensor,
        rois: Tensor,
        offset: Tensor,
        bins: tuple[int, int],
        spatial_scale: float,
        gamma: float,
    ) -> None:
        self.size = input.shape
        self.bins = bins
        self.image, self.axes = region(rois, spatial_scale, aligned=True)
        (top, bottom), (left, right) = self.axes
        sides = torch.stack([right - left, bottom - top], 1)
        self.scale = gamma * sides[..., None, None]
        self.shift = sides.new_zeros(len(rois), 2, *bins)
        if offset.numel():
            self.shift = self.scale * at_least_float32(offset)

    def chunks(self, sampling_ratio: int) -> Iterator[_Part]:
        """Some regions at a time."""
        (y, y_share), (x, x_share) = (
            samples(*axis, count, sampling_ratio)
            for axis, count in zip(self.axes, self.bins, strict=True)
        )
        per_bin = 4 * y.shape[2] * x.shape[2]
        per_region = self.bins[0] * self.bins[1] * per_bin
        step = max(1, _CHUNK // max(per_region, 1))
        for start in range(0, len(self.image), step):
            part = slice(start, start + step)
            along, down = self.shift[part, ..., None].unbind(1)
            yield _Part(
                *(part, self.image[part]),
                [
                    (y[part, :, None] + down, y_share[part, :, None]),
                    (x[part, None] + along, x_share[part, None]),
                ],
                self.size,
            )
