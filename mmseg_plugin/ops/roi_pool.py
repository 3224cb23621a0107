"""RoI pooling ("Fast R-CNN", arXiv 1504.08083, section 2.1)."""

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .rows import as_table


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """The largest value of the pixels of each bin.

    The size of the largest bin takes a synchronisation.

    Args:
        input: (B, C, H, W).
        rois: (R, 5), image and (x1, y1, x2, y2), the last pixels included.
        output: written to, (R, C, h, w); zero where a bin has no pixel.
        argmax: written to, int32, the shape of ``output``: the pixel it is
            from, -1 for none.
        pooled_height: h.
        pooled_width: w.
        spatial_scale: size of the map over that of the boxes' image.
    """
    height, width = input.shape[2:]
    corner = at_least_float32(rois)[:, 1:] * spatial_scale
    x1, y1, x2, y2 = corner.unbind(1)
    rows = _bins(y1, y2 + spatial_scale, pooled_height, height)
    columns = _bins(x1, x2 + spatial_scale, pooled_width, width)
    table = as_table(input)
    image = rois[:, 0].long()[:, None, None] * (height * width)
    # (R, h, w, C)
    shape = (len(rois), pooled_height, pooled_width, input.shape[1])
    best = table.new_full(shape, torch.finfo(table.dtype).min)
    found = torch.full(shape, -1, dtype=torch.int, device=rois.device)
    for i in range(_longest(rows)):
        y = rows[0] + i
        for j in range(_longest(columns)):
            x = columns[0] + j
            inside = (y < rows[1])[..., None] & (x < columns[1])[:, None]
            pixel = y.clamp(max=height - 1)[..., None] * width
            pixel = pixel + x.clamp(max=width - 1)[:, None]
            value = table[image + pixel]
            better = inside[..., None] & (value > best)
            best = value.where(better, best)
            found = pixel[..., None].int().where(better, found)
    output.copy_(best.where(found >= 0, 0).permute(0, 3, 1, 2))
    argmax.copy_(found.permute(0, 3, 1, 2))


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Writes the gradient of ``input``; args as of the forward pass."""
    batch, channels, height, width = grad_input.shape
    grad = at_least_float32(grad_output).where(argmax >= 0, 0).flatten(2)
    plane = rois[:, :1].long() * channels
    plane = plane + torch.arange(channels, device=rois.device)
    index = plane[..., None] * (height * width)
    index = index + argmax.long().clamp(min=0).flatten(2)
    flat = grad.new_zeros(batch * channels * height * width)
    flat.index_add_(0, index.flatten(), grad.flatten())
    grad_input.copy_(flat.view(grad_input.shape))


def _bins(
    start: Tensor, end: Tensor, bins: int, length: int
) -> tuple[Tensor, Tensor]:
    """First pixel of each bin and the one after its last, (R, bins)."""
    size = (end - start)[:, None] / bins
    number = torch.arange(bins, device=start.device, dtype=start.dtype)
    first = (number * size + start[:, None]).floor()
    last = ((number + 1) * size + start[:, None]).ceil()
    # A region without any extent has no pixels.
    last = last.where(size > 0, first)
    return first.clamp(0, length).long(), last.clamp(0, length).long()


def _longest(bins: tuple[Tensor, Tensor]) -> int:
    first, last = bins
    return int((last - first).max()) if first.numel() else 0
