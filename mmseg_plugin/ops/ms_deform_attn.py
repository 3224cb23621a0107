"""Multi-scale deformable attention ("Deformable DETR", arXiv 2010.04159)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.utils import host
from mmseg_plugin.utils.precision import at_least_float32

from .rows import gather_rows, row_products, scatter_rows

# Points looked at together on a CPU.
CPU_POINTS = 2**16


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
    found = _Points(value, shapes, starts, locations, weights)
    for _ in found.blocks():
        pass
    sums = gather_rows(found.table, found.index, found.shares)
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
    found = _Points(value, shapes, starts, locations, weights)
    grad = grad.unflatten(-1, (heads, channels)).transpose(1, 2)
    grad = grad.reshape(-1, channels)
    by_place = locations.new_empty(*found.weights.shape, 2)
    by_weight = torch.empty_like(found.weights)
    for block in found.blocks():
        rows = block.rows
        products = row_products(grad[rows], found.table, found.index[rows])
        block.differentiate(
            *(products.unflatten(1, (4, -1)), found.weights[rows]),
            *(by_place[rows], by_weight[rows]),
        )
    table = scatter_rows(grad, found.index, found.shares, len(found.table))
    # (B * heads * Q, L * P) as (B, Q, heads, L, P).
    whole = (batch, heads, *weights.shape[1:2], *weights.shape[3:])
    return (
        table.view(batch, heads, num_pixels, channels).transpose(1, 2),
        by_place.view(*whole, 2).transpose(1, 2),
        by_weight.view(whole).transpose(1, 2),
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
    """The pixels before and after some points on one axis, two of (n, L * P).

    Attributes:
        pixel: int32, inside of the map.
        weight: zero for what lies outside.
        inside: one, or zero for what lies outside.
        length: pixels of the axis, of each point's level.
    """

    pixel: tuple[Tensor, Tensor]
    weight: tuple[Tensor, Tensor]
    inside: tuple[Tensor, Tensor]
    length: Tensor

    @classmethod
    def around(cls, place: Tensor, length: Tensor, last: Tensor) -> '_Axis':
        """Of places in [0, 1], (n, L * P).

        Args:
            place: where.
            length: pixels of the axis.
            last: number of the last of them, negative if there is none.
        """
        position = place * length
        position -= 0.5
        before = position.floor()
        share = position.sub_(before)
        pixels, inside = [], []
        zero = place.new_zeros(())
        for near in (before, before + 1):
            pixel = near.clamp(zero, last)
            inside.append(near.eq_(pixel))
            # A coordinate that is no number must not read outside either.
            pixels.append(pixel.int().clamp_(min=0))
        first, second = inside
        weights = (1 - share).mul_(first), share * second
        return cls((pixels[0], pixels[1]), weights, (first, second), length)

    def slope(self, before: Tensor, after: Tensor, weight: Tensor) -> Tensor:
        """By the place, of values at both pixels that count so much."""
        slope = after * self.inside[1]
        slope.addcmul_(before, self.inside[0], value=-1)
        return slope.mul_(weight).mul_(self.length)


class _Block(NamedTuple):
    """Points of some bags.

    Attributes:
        rows: which bags.
        y: of the points.
        x: of the points.
    """

    rows: slice
    y: _Axis
    x: _Axis

    def differentiate(
        self,
        products: Tensor,
        weights: Tensor,
        by_place: Tensor,
        by_weight: Tensor,
    ) -> None:
        """Writes the gradients of places (n, L * P, 2) and of weights.

        Args:
            products: of the sums' gradient and each pixel, (n, 4, L * P).
            weights: (n, L * P).
            by_place: to be written.
            by_weight: to be written.
        """
        # Upper left, upper right, lower left, lower right.
        parts = products.unbind(1)
        (top, bottom), (left, right) = self.y.weight, self.x.weight
        before = (parts[0] * top).addcmul_(parts[2], bottom)
        after = (parts[1] * top).addcmul_(parts[3], bottom)
        above = (parts[0] * left).addcmul_(parts[1], right)
        below = (parts[2] * left).addcmul_(parts[3], right)
        by_place[..., 0] = self.x.slope(before, after, weights)
        by_place[..., 1] = self.y.slope(above, below, weights)
        torch.mul(before, left, out=by_weight).addcmul_(after, right)


class _Points:
    """The pixels around all points: a bag of them for each output.

    Head after head, so that neighbours are close in memory; coordinates one
    at a time and what belongs to a level repeated for its points, or nothing
    here can be vectorised.

    Args as of :func:`ms_deform_attn_forward`.

    Attributes:
        table: values (B * heads * N, C).
        weights: (B * heads * Q, L * P).
        index: rows of the table for each bag, int32 (B * heads * Q,
            4 * L * P); written by :meth:`blocks`.
        shares: what each of them contributes; the same.
    """

    def __init__(
        self,
        value: Tensor,
        shapes: Tensor,
        starts: Tensor,
        locations: Tensor,
        weights: Tensor,
    ) -> None:
        batch, self.num_pixels, heads, channels = value.shape
        self.table = value.transpose(1, 2).reshape(-1, channels)
        per_bag = weights.shape[3] * weights.shape[4]
        bags = batch * heads * weights.shape[1]
        self.weights = weights.transpose(1, 2).reshape(bags, per_bag)
        # Pairs stay pairs: copied one by one they take twice as long.
        self.places = locations.transpose(1, 2).reshape(bags, per_bag, 2)
        self.index = weights.new_empty(bags, 4 * per_bag, dtype=torch.int32)
        self.shares = weights.new_empty(bags, 4 * per_bag)
        self.num_points = weights.shape[4]
        self.per_head = weights.shape[1]
        # Nothing lies inside a level without pixels, whatever its other side.
        self.shapes = shapes * (shapes > 0).all(1, keepdim=True)
        # What has no pixels gets rows of weight zero, which have to exist.
        self.starts = starts.clamp(max=max(self.num_pixels - 1, 0))

    def blocks(self) -> Iterator[_Block]:
        """Walks over the points, and writes index and shares of the bags."""
        bags, per_bag = self.weights.shape
        step, copies = bags, 1
        if host.on_host(self.weights):
            # As many as its cache holds. Its operators are slow where short
            # rows are broadcast; elsewhere copies are memory for nothing.
            step = min(max(CPU_POINTS // max(per_bag, 1), 1), bags)
            copies = step

        def repeated(numbers: Tensor, dtype: torch.dtype) -> Tensor:
            # Numbers of levels for each point: (copies, L * P).
            each = numbers.to(dtype).repeat_interleave(
                self.num_points, output_size=per_bag
            )
            return each.repeat(copies, 1)

        def repeated_axis(side: Tensor) -> tuple[Tensor, Tensor]:
            # Nothing lies inside of an axis without pixels.
            last = torch.where(side > 0, side - 1, -2)
            dtype = self.places.dtype
            return repeated(side, dtype), repeated(last, dtype)

        height, width = (repeated_axis(side) for side in self.shapes.T)
        columns = repeated(self.shapes[:, 1], torch.int32)
        starts = repeated(self.starts, torch.int32)
        head = torch.arange(bags, device=starts.device) // self.per_head
        first = (head * self.num_pixels).int()[:, None]
        index, shares = (
            part.unflatten(1, (4, per_bag))
            for part in (self.index, self.shares)
        )
        for begin in range(0, bags, max(step, 1)):
            rows = slice(begin, min(begin + step, bags))
            count = rows.stop - begin
            x, y = (
                _Axis.around(place, length[:count], last[:count])
                for place, (length, last) in zip(
                    self.places[rows].unbind(-1), (width, height), strict=True
                )
            )
            start = starts[:count] + first[rows]
            for i in range(2):
                row = (y.pixel[i] * columns[:count]).add_(start)
                share = y.weight[i] * self.weights[rows]
                for j in range(2):
                    corner = 2 * i + j
                    torch.add(row, x.pixel[j], out=index[rows, corner])
                    torch.mul(share, x.weight[j], out=shares[rows, corner])
            yield _Block(rows, y, x)
