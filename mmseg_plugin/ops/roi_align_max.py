"""RoIAlign with the maximum of a bin's samples in the place of their mean.

Which sample is the largest is kept as its number in the bin: a position
would be rounded in half precision, and with it the gradient.
"""

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .bilinear import corners, edge_padded, outer
from .roi_bins import Samples, samples_of_bins
from .rows import as_table, gather_rows


def largest_samples(
    input: Tensor,
    rois: Tensor,
    height: int,
    width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The largest sample of each bin, and which row and column it is of."""
    image, (rows, columns) = samples_of_bins(
        rois, (height, width), spatial_scale, sampling_ratio, aligned
    )
    table = as_table(input)
    first = (image * (input.shape[2] * input.shape[3]))[:, None, None, None]
    shape = (len(rois), height, width)
    best = table.new_full((*shape, input.shape[1]), -1e4)
    at = [torch.full_like(best, -1) for _ in range(2)]
    for i in range(rows.position.shape[2]):
        y = rows.position[:, :, None, i].expand(shape)
        down = edge_padded(y, input.shape[2])
        for j in range(columns.position.shape[2]):
            x = columns.position[:, None, :, j].expand(shape)
            along = edge_padded(x, input.shape[3])
            index = first + corners(down, along, input.shape[3])
            weight = outer(down.weight, along.weight)
            value = gather_rows(
                table, index.flatten(0, 2), weight.flatten(0, 2)
            ).view_as(best)
            known = (rows.share[..., i] > 0) & (columns.share[..., j] > 0)
            better = (value > best) & known[..., None, None]
            best = value.where(better, best)
            at = [
                torch.where(better, number, old)
                for number, old in zip((i, j), at, strict=True)
            ]
    best, y, x = (found.permute(0, 3, 1, 2) for found in (best, *at))
    return best, y, x


def gradient_of_largest(
    grad: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    size: torch.Size,
    height: int,
    width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Spreads each gradient over the pixels around where it came from."""
    image, (rows, columns) = samples_of_bins(
        rois, (height, width), spatial_scale, sampling_ratio, aligned
    )
    batch, channels, tall, wide = size
    grad, number_y, number_x = (
        at_least_float32(found).permute(0, 2, 3, 1)
        for found in (grad, argmax_y, argmax_x)
    )
    flat = grad.new_zeros(batch * tall * wide * channels)
    if rows.position.numel() and columns.position.numel():
        y = _position(rows, number_y)
        x = _position(columns, number_x.transpose(1, 2)).transpose(1, 2)
        down, along = edge_padded(y, tall), edge_padded(x, wide)
        weight = outer(down.weight, along.weight) * (number_y >= 0)[..., None]
        first = (image.long() * tall * wide)[:, None, None, None, None]
        pixel = first + corners(down, along, wide)
        channel = torch.arange(channels, device=grad.device)[:, None]
        index = pixel * channels + channel
        flat.index_add_(
            0, index.flatten(), (weight * grad[..., None]).flatten()
        )
    return flat.view(batch, tall, wide, channels).permute(0, 3, 1, 2)


def _position(samples: Samples, number: Tensor) -> Tensor:
    """Where on its axis the sample of each number is.

    Args:
        samples: of n bins.
        number: (R, n, other bins, C), negative for none.

    Returns:
        The same shape; anything where there is none.
    """
    index = number.flatten(2).long().clamp(min=0)
    return samples.position.gather(2, index).view_as(number)
