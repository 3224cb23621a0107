"""Multi-scale deformable attention ("Deformable DETR", arXiv 2010.04159)."""

import torch
from torch import Tensor

from .bilinear import Pair, corners, outer, zero_padded
from .rows import (
    at_least_float32,
    gather_rows,
    row_products,
    scatter_rows,
)


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Weighted sums of values at points of several levels.

    Args:
        value: (B, N, heads, C), all levels flattened.
        value_spatial_shapes: height and width of each level, int64 (L, 2).
        value_level_start_index: first pixel of each level, int64 (L,).
        sampling_locations: (B, Q, heads, L, P, 2), (x, y) in [0, 1]; outside
            of it values are zero.
        attention_weights: (B, Q, heads, L, P).
        im2col_step: not used.

    Returns:
        (B, Q, heads * C), of the type of ``value``.
    """
    found = _Points(
        value,
        value_spatial_shapes,
        value_level_start_index,
        sampling_locations,
    )
    weights = at_least_float32(attention_weights)[..., None]
    shares = (found.weight * weights).flatten(3).flatten(0, 2)
    sums = gather_rows(found.table, found.index, shares)
    batch, queries = sampling_locations.shape[:2]
    return sums.view(batch, queries, -1).to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Writes the three gradients, each of the shape of what it is for.

    Args as of :func:`ms_deform_attn_forward`; ``grad_output`` is that of
    its result.
    """
    found = _Points(
        value,
        value_spatial_shapes,
        value_level_start_index,
        sampling_locations,
    )
    weights = at_least_float32(attention_weights)
    grad = at_least_float32(grad_output).reshape(-1, value.shape[-1])
    shares = (found.weight * weights[..., None]).flatten(3).flatten(0, 2)
    table = scatter_rows(grad, found.index, shares, len(found.table))
    grad_value.copy_(table.view(value.shape))
    products = row_products(grad, found.table, found.index)
    products = products.view(found.weight.shape)
    grad_attn_weight.copy_((products * found.weight).sum(-1))
    products = products * weights[..., None]
    down = outer(found.rows.slope, found.columns.weight)
    right = outer(found.rows.weight, found.columns.slope)
    grad_sampling_loc[..., 0] = (products * right).sum(-1) * found.width
    grad_sampling_loc[..., 1] = (products * down).sum(-1) * found.height


class _Points:
    """The pixels around all points, and their shares.

    Args as of :func:`ms_deform_attn_forward`.

    Attributes:
        table: values (B * N * heads, C).
        index: rows of the table for each output, int32 (B * Q * heads, L * P
            * 4).
        weight: (B, Q, heads, L, P, 4).
    """

    rows: Pair
    columns: Pair

    def __init__(
        self, value: Tensor, shapes: Tensor, starts: Tensor, locations: Tensor
    ) -> None:
        batch, num_pixels, heads, channels = value.shape
        self.table = at_least_float32(value).reshape(-1, channels)
        self.table = self.table.contiguous()
        locations = at_least_float32(locations)
        self.height, self.width = shapes.int()[..., None].unbind(1)
        x, y = locations.unbind(-1)
        self.columns = zero_padded(x * self.width - 0.5, self.width)
        self.rows = zero_padded(y * self.height - 0.5, self.height)
        pixel = corners(self.rows, self.columns, self.width)
        image = torch.arange(batch, device=value.device, dtype=torch.int32)
        first = image.view(-1, 1, 1, 1, 1, 1) * num_pixels
        first = first + starts.int()[:, None, None]
        head = torch.arange(heads, device=value.device, dtype=torch.int32)
        index = (pixel + first) * heads + head.view(-1, 1, 1, 1)
        self.index = index.flatten(3).flatten(0, 2)
        self.weight = outer(self.rows.weight, self.columns.weight)
