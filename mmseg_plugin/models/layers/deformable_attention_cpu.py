"""Multi-scale deformable attention on a CPU: one gather, a sparse product."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from mmseg_plugin.models.layers.geometry import Sizes, level_geometry
from mmseg_plugin.ops.rows import row_products, scatter_rows
from mmseg_plugin.structures.sampling import bilinear_corners
from mmseg_plugin.utils.host import made_once


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
    sizes = tuple(map(tuple, sizes))
    if sum(height * width for height, width in sizes) != num_pixels:
        raise ValueError(f'{num_pixels} values for levels of sizes {sizes}')
    # Head after head, so that neighbours are close in memory; what belongs
    # to a level repeated for its points, or nothing here can be vectorised.
    points = locations.permute(5, 0, 2, 1, 3, 4).contiguous().movedim(0, -1)
    weight = weights.transpose(1, 2).contiguous()
    size, first = _places(sizes, locations.shape[-2], batch, heads)
    index, share = bilinear_corners(points, size)
    rows = torch.stack([corner + first for corner in index], 3)
    shares = torch.stack([part * weight for part in share], 3)
    output = weighted_rows(
        value.transpose(1, 2).reshape(-1, channels),
        rows.flatten(0, 2).flatten(1),
        shares.flatten(0, 2).flatten(1),
    )
    output = output.view(batch, heads, -1, channels)
    return output.transpose(1, 2).flatten(2)


@made_once
def _places(
    sizes: Sizes, num_points: int, batch: int, heads: int
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Where levels lie in the table of all images' and heads' values.

    Returns:
        Height and width of each level (L, P), and the row of the first pixel
        (B, heads, 1, L, P), int32.
    """
    cpu = torch.device('cpu')
    shapes, starts = level_geometry(sizes, cpu)
    # Nothing lies inside a level without pixels, whatever its other side is.
    shapes = shapes * (shapes > 0).all(1, keepdim=True)
    height, width = shapes.int().T[..., None].repeat(1, 1, num_points)
    lengths = [height * width for height, width in sizes]
    head = torch.arange(batch * heads).view(batch, heads, 1, 1, 1)
    # What has no pixels gets rows of weight zero, which have to exist.
    start = starts.clamp(max=max(sum(lengths) - 1, 0))
    start = start[:, None].expand(-1, num_points)
    return (height, width), (head * sum(lengths) + start).int()


def weighted_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sums of rows of a table on the CPU.

    Args:
        table: (R, C).
        index: rows to sum, int32 (M, K).
        weight: what each contributes, (M, K).

    Returns:
        (M, C).
    """
    if torch.compiler.is_compiling():
        return rows_in_graph(table, index, weight)
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
        table = scatter_rows(grad, index, weight, ctx.num_rows)
        return grad, table, None, None


@torch.library.custom_op('mmseg_plugin::weighted_rows', mutates_args=())
def rows_in_graph(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """:func:`weighted_rows` as one node of a compiled graph."""
    return F.embedding_bag(index, table, mode='sum', per_sample_weights=weight)


@rows_in_graph.register_fake
def _(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    return table.new_empty(len(index), table.shape[1])


@torch.library.custom_op(
    'mmseg_plugin::weighted_rows_backward', mutates_args=()
)
def _gradients_of_rows(
    grad: Tensor, table: Tensor, index: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    return (
        scatter_rows(grad, index, weight, len(table)),
        row_products(grad, table, index),
    )


@_gradients_of_rows.register_fake
def _(
    grad: Tensor, table: Tensor, index: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(table), torch.empty_like(weight)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    table, weight = _gradients_of_rows(grad, *ctx.saved_tensors)
    return table, None, weight


rows_in_graph.register_autograd(_differentiate, setup_context=_keep)
