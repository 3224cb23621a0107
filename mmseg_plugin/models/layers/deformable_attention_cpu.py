"""Multi-scale deformable attention on a CPU: one gather, a sparse product."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from mmseg_plugin.structures.sampling import bilinear_corners


def deformable_attention(
    value: Tensor,
    sizes: Sequence[tuple[int, int]],
    locations: Tensor,
    weights: Tensor,
) -> Tensor:
    """Weighted sums of values at points of several levels, on a CPU.

    Args:
        value: (B, N, heads, C), all levels flattened.
        sizes: height and width of each of the L levels.
        locations: (B, Q, heads, L, P, 2), (x, y) in [0, 1]; outside of it
            values are zero.
        weights: (B, Q, heads, L, P).

    Returns:
        (B, Q, heads * C).

    Raises:
        ValueError: the levels have not N pixels in all.
    """
    batch, num_pixels, heads, channels = value.shape
    starts = np.cumsum([0] + [height * width for height, width in sizes])
    if starts[-1] != num_pixels:
        raise ValueError(f'{num_pixels} values for levels of sizes {sizes}')
    # Head after head, so that neighbours are close in memory; what belongs
    # to a level repeated for its points, or nothing here can be vectorised.
    points = locations.permute(5, 0, 2, 1, 3, 4).contiguous().movedim(0, -1)
    weight = weights.transpose(1, 2).contiguous()
    shape = (len(sizes), locations.shape[-2])
    lengths = torch.tensor(sizes, dtype=torch.int32).T[..., None]
    height, width = lengths.repeat(1, 1, shape[1])
    index, share = bilinear_corners(points, (height, width))
    head = torch.arange(batch * heads).view(batch, heads, 1, 1, 1)
    start = torch.from_numpy(starts[:-1, None]).expand(shape)
    first = (head * num_pixels + start).int()
    rows = torch.stack([corner + first for corner in index], 3)
    shares = torch.stack([part * weight for part in share], 3)
    output = weighted_rows(
        value.transpose(1, 2).reshape(-1, channels),
        rows.flatten(0, 2).flatten(1),
        shares.flatten(0, 2).flatten(1),
    )
    output = output.view(batch, heads, -1, channels)
    return output.transpose(1, 2).flatten(2)


def weighted_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sums of rows of a table on the CPU.

    Args:
        table: (R, C).
        index: rows to sum, int32 (M, K).
        weight: what each contributes, (M, K).

    Returns:
        (M, C).
    """
    sums = F.embedding_bag(
        index, table.detach(), mode='sum', per_sample_weights=weight
    )
    return _GradientOfTable.apply(sums, table, index, weight.detach())


class _GradientOfTable(torch.autograd.Function):
    """Hands its first argument through and makes the table's gradient.

    That of ``embedding_bag`` sorts all indices, which takes longer than the
    rest of forward and backward pass together. A product with the transposed
    sparse matrix of the weights adds up each row where it belongs.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        sums: Tensor,
        table: Tensor,
        index: Tensor,
        weight: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(index, weight)
        ctx.num_rows = len(table)
        return sums.view_as(sums)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, grad: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        index, weight = ctx.saved_tensors
        ends = np.arange(0, index.numel() + 1, index.shape[1], np.int32)
        matrix = csr_matrix(
            (weight.flatten().numpy(), index.flatten().numpy(), ends),
            shape=(len(index), ctx.num_rows),
        )
        table = matrix.T @ grad.contiguous().numpy()
        return grad, torch.from_numpy(table), None, None
