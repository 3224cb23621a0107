"""Features along the borders of boxes ("BorderDet", arXiv 2007.11056)."""

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .bilinear import Pair, corners, edge_padded, outer
from .rows import as_table, gather_rows


def border_align_forward(
    input: Tensor,
    boxes: Tensor,
    output: Tensor,
    argmax_idx: Tensor,
    *,
    pool_size: int,
) -> None:
    """The largest of evenly spaced samples of each side of each box.

    Args:
        input: (B, 4 * C, H, W), C channels each for top, left, bottom, right.
        boxes: (B, N, 4), (x1, y1, x2, y2) in pixels of the map.
        output: written to, (B, C, N, 4).
        argmax_idx: written to: number of the largest sample, int32, the
            shape of ``output``.
        pool_size: samples of a side, less one.
    """
    for side in range(4):
        maps = input.unflatten(1, (4, -1))[:, side]
        table = as_table(maps)
        best = table.new_full((boxes.shape[0] * boxes.shape[1], 1), -torch.inf)
        number = torch.zeros_like(best, dtype=torch.int)
        for i in range(pool_size + 1):
            index, weight = _corners(boxes, side, i / pool_size, maps)
            value = gather_rows(
                table, index.flatten(0, 1), weight.flatten(0, 1)
            )
            better = value > best
            best = value.where(better, best)
            number = torch.where(better, i, number)
        shape = (*boxes.shape[:2], -1)
        output[..., side] = best.view(shape).mT
        argmax_idx[..., side] = number.view(shape).mT


def border_align_backward(
    grad_output: Tensor,
    boxes: Tensor,
    argmax_idx: Tensor,
    grad_input: Tensor,
    *,
    pool_size: int,
) -> None:
    """Writes the gradient of ``input``; args as of the forward pass."""
    grad_maps = grad_input.unflatten(1, (4, -1))
    for side in range(4):
        like = grad_maps[:, side]
        channels = like.shape[1]
        # (B, N, C)
        grad = at_least_float32(grad_output[..., side]).mT
        number = argmax_idx[..., side].mT
        flat = grad.new_zeros(like.numel())
        channel = torch.arange(channels, device=grad.device)[:, None]
        index, weight = _corners(
            boxes[:, :, None], side, number / pool_size, like
        )
        part = (weight * grad[..., None]).flatten()
        flat.index_add_(0, (index * channels + channel).flatten(), part)
        batch, _, height, width = like.shape
        maps = flat.view(batch, height, width, channels)
        like.copy_(maps.permute(0, 3, 1, 2))


def _corners(
    boxes: Tensor, side: int, share: float | Tensor, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Pixels around a place on a side, and what each contributes.

    Args:
        boxes: (B, N, ..., 4).
        side: 0 to 3 for top, left, bottom, right; the first two run from
            the upper left corner, the others from the lower right.
        share: how far along it, in [0, 1].
        like: the map (B, C, H, W).

    Returns:
        Rows of the map's table, and weights, both (B, N, ..., 4).
    """
    x1, y1, x2, y2 = at_least_float32(boxes).unbind(-1)
    x, y = (x1, y1) if side < 2 else (x2, y2)
    sign = 1 if side < 2 else -1
    if side % 2 == 0:
        x = x + sign * share * (x2 - x1)
    else:
        y = y + sign * share * (y2 - y1)
    batch, _, height, width = like.shape
    x, y = torch.broadcast_tensors(x, y)
    rows: Pair = edge_padded(y, height)
    columns: Pair = edge_padded(x, width)
    image = torch.arange(batch, device=boxes.device, dtype=torch.int32)
    first = image.view(-1, *[1] * x.dim()) * (height * width)
    index = corners(rows, columns, width) + first
    return index, outer(rows.weight, columns.weight)
