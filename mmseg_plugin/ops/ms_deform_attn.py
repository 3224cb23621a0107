"""Multi-scale deformable attention ("Deformable DETR", arXiv 2010.04159)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .bilinear import neighbours
from .rows import gather_rows, row_products, scatter_rows


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
    sums = attend(
        at_least_float32(value),
        value_spatial_shapes,
        value_level_start_index,
        at_least_float32(sampling_locations),
        at_least_float32(attention_weights),
    )
    return sums.to(value.dtype)


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
    found = gradients(
        at_least_float32(grad_output),
        at_least_float32(value),
        value_spatial_shapes,
        value_level_start_index,
        at_least_float32(sampling_locations),
        at_least_float32(attention_weights),
    )
    targets = grad_value, grad_sampling_loc, grad_attn_weight
    for target, gradient in zip(targets, found, strict=True):
        target.copy_(gradient)


@torch.library.custom_op('mmseg_plugin::ms_deform_attn', mutates_args=())
def attend(
    value: Tensor,
    shapes: Tensor,
    starts: Tensor,
    locations: Tensor,
    weights: Tensor,
) -> Tensor:
    """:func:`ms_deform_attn_forward` with gradients, not in half precision.

    One gather of four rows for each point, whose weighted sums are one
    product; nothing is kept for the backward pass but the inputs.
    """
    found = _Points(value, shapes, starts, locations)
    shares = [part * found.by_head(weights) for part in found.corners()]
    sums = gather_rows(found.table, found.index, _by_point(shares))
    batch, _, heads, channels = value.shape
    sums = sums.view(batch, heads, -1, channels).transpose(1, 2)
    return sums.flatten(2)


@attend.register_fake
def _(value, shapes, starts, locations, weights):  # type: ignore
    batch, _, heads, channels = value.shape
    return value.new_empty(batch, locations.shape[1], heads * channels)


def gradients(
    grad: Tensor,
    value: Tensor,
    shapes: Tensor,
    starts: Tensor,
    locations: Tensor,
    weights: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of :func:`attend` by values, locations and weights."""
    batch, num_pixels, heads, channels = value.shape
    found = _Points(value, shapes, starts, locations)
    by_head = found.by_head(weights)
    grad = grad.unflatten(-1, (heads, channels)).transpose(1, 2)
    grad = grad.reshape(-1, channels)
    shares = _by_point([part * by_head for part in found.corners()])
    table = scatter_rows(grad, found.index, shares, len(found.table))
    products = row_products(grad, found.table, found.index)
    # Upper left, upper right, lower left, lower right.
    parts = products.view(*by_head.shape[:3], 4, *by_head.shape[3:]).unbind(3)
    (top, bottom), (left, right) = found.rows.weight, found.columns.weight
    before = parts[0] * top + parts[2] * bottom
    after = parts[1] * top + parts[3] * bottom
    above = parts[0] * left + parts[1] * right
    below = parts[2] * left + parts[3] * right
    x = found.columns.difference(before, after) * by_head * found.width
    y = found.rows.difference(above, below) * by_head * found.height
    by_weights = before * left + after * right
    return (
        table.view(batch, heads, num_pixels, channels).transpose(1, 2),
        torch.stack([x, y], -1).transpose(1, 2),
        by_weights.transpose(1, 2),
    )


_gradients = torch.library.custom_op(
    'mmseg_plugin::ms_deform_attn_grad', gradients, mutates_args=()
)


@_gradients.register_fake
def _(grad, value, shapes, starts, locations, weights):  # type: ignore
    batch, num_pixels, heads, channels = value.shape
    table = value.new_empty(batch, heads, num_pixels, channels)
    by_head = locations.new_empty(locations.transpose(1, 2).shape)
    return (
        table.transpose(1, 2),
        by_head.transpose(1, 2),
        by_head.new_empty(by_head.shape[:-1]).transpose(1, 2),
    )


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    value, locations, weights = _gradients(grad, *ctx.saved_tensors)
    return value, None, None, locations, weights


attend.register_autograd(_differentiate, setup_context=_keep)


class _Axis(NamedTuple):
    """The pixels before and after each point on one axis, (B, heads, Q, L, P).

    Attributes:
        pixel: int32.
        weight: zero for what lies outside.
        inside: bool.
    """

    pixel: Tensor
    weight: Tensor
    inside: Tensor

    def difference(self, before: Tensor, after: Tensor) -> Tensor:
        """Of values at both pixels, where what lies outside is zero."""
        return after * self.inside[1] - before * self.inside[0]


class _Points:
    """The pixels around all points.

    Head after head, so that neighbours are close in memory; coordinates one
    at a time and what belongs to a level repeated for its points, or nothing
    here can be vectorised.

    Args as of :func:`ms_deform_attn_forward`.

    Attributes:
        table: values (B * heads * N, C).
        index: rows of the table for each output, int32 (B * heads * Q,
            4 * L * P).
    """

    def __init__(
        self, value: Tensor, shapes: Tensor, starts: Tensor, locations: Tensor
    ) -> None:
        batch, num_pixels, heads, channels = value.shape
        self.table = value.transpose(1, 2).reshape(-1, channels)
        x, y = locations.permute(5, 0, 2, 1, 3, 4).contiguous()
        num_points = locations.shape[-2]
        # Nothing lies inside a level without pixels, whatever its other side.
        shapes = shapes * (shapes > 0).all(1, keepdim=True)
        self.height, self.width = (
            side.int()[:, None].repeat(1, num_points) for side in shapes.T
        )
        self.columns = _Axis(*neighbours(x * self.width - 0.5, self.width))
        self.rows = _Axis(*neighbours(y * self.height - 0.5, self.height))
        # What has no pixels gets rows of weight zero, which have to exist.
        start = starts.clamp(max=max(num_pixels - 1, 0))[:, None].int()
        head = torch.arange(batch * heads, device=x.device, dtype=torch.int32)
        first = head.view(batch, heads, 1, 1, 1) * num_pixels
        first = first + start.repeat(1, num_points)
        self.index = _by_point(
            [
                row * self.width + column + first
                for row in self.rows.pixel
                for column in self.columns.pixel
            ]
        )

    def corners(self) -> list[Tensor]:
        """What each of the four pixels contributes, (B, heads, Q, L, P)."""
        return [
            row * column
            for row in self.rows.weight
            for column in self.columns.weight
        ]

    @staticmethod
    def by_head(weights: Tensor) -> Tensor:
        """(B, Q, heads, L, P) to (B, heads, Q, L, P)."""
        return weights.transpose(1, 2).contiguous()


def _by_point(parts: list[Tensor]) -> Tensor:
    """Four of (B, heads, Q, L, P) to (B * heads * Q, 4 * L * P)."""
    return torch.stack(parts, 3).flatten(0, 2).flatten(1)
