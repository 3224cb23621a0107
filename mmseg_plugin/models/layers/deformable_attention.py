"""Multi-scale deformable attention: no synchronisation on a GPU."""

from types import SimpleNamespace
from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch import Tensor, nn

from mmseg_plugin.models.layers.geometry import (
    Sizes,
    level_geometry,
    level_sides,
    pixel_centres,
)
from mmseg_plugin.ops.ms_deform_attn import attend
from mmseg_plugin.utils.precision import at_least_float32

# Kinds of devices that mmcv's operator is written for.
_WITH_OPERATOR = ('cuda', 'mlu')


class DeformableAttention(MultiScaleDeformableAttention):
    """mmcv's module, with the same parameters and numbers.

    On a CPU it gathers and weighs in one go what mmcv's fallback first
    samples, level by level. On a GPU it runs mmcv's operator, without mmcv's
    check of the number of keys, a synchronisation in every layer; on
    a device without that operator mmcv's fallback.

    Source: "Deformable DETR" (arXiv 2010.04159), section 4.1.
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        identity: Tensor | None = None,
        query_pos: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        *,
        reference_points: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor,
        sizes: Sizes | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attends, projects and adds the identity.

        Args:
            query: (B, Q, C), or (Q, B, C) unless ``batch_first``.
            key: not used.
            value: (B, N, C) or (N, B, C), all levels; ``query`` if None.
            identity: added to the output; ``query`` if None.
            query_pos: added to ``query``, its shape.
            key_padding_mask: bool (B, N), True where a value is padding.
            reference_points: (B, Q, L, 2) in [0, 1], or boxes (B, Q, L, 4).
            spatial_shapes: height and width of each level, int64 (L, 2).
            level_start_index: first pixel of each level, int64 (L,).
            sizes: ``spatial_shapes`` as numbers; a CPU looks them up if None.
                A level may have no pixels: nothing is there to be seen.
            kwargs: not used; mmdet's layers pass on what others need.

        Returns:
            The shape of ``query``.

        Raises:
            ValueError: on a CPU, the levels have not N pixels.
        """
        identity = query if identity is None else identity
        value = query if value is None else value
        if query_pos is not None:
            query = query + query_pos
        if not self.batch_first:
            query, value = query.transpose(0, 1), value.transpose(0, 1)
        value = self.value_proj(value)
        if key_padding_mask is not None:
            value = value.masked_fill(key_padding_mask[..., None], 0.0)
        output = self._attend(
            at_least_float32(value.unflatten(-1, (self.num_heads, -1))),
            self._locations(query, reference_points, spatial_shapes, sizes),
            at_least_float32(self._weights(query)),
            spatial_shapes,
            level_start_index,
            sizes,
        )
        output = self.output_proj(output.to(value.dtype))
        if not self.batch_first:
            output = output.transpose(0, 1)
        return self.dropout(output) + identity

    def _weights(self, query: Tensor) -> Tensor:
        """Shares (B, Q, heads, L, P) that sum to one over L and P."""
        logits = self.attention_weights(query)
        shares = logits.unflatten(-1, (self.num_heads, -1)).softmax(-1)
        return shares.unflatten(-1, (self.num_levels, self.num_points))

    def _locations(
        self,
        query: Tensor,
        reference: Tensor,
        spatial_shapes: Tensor,
        sizes: Sizes | None = None,
    ) -> Tensor:
        """Where to look (B, Q, heads, L, P, 2), in [0, 1] of each level."""
        offsets = at_least_float32(self.sampling_offsets(query)).unflatten(
            -1, (self.num_heads, self.num_levels, self.num_points, 2)
        )
        centre = reference[:, :, None, :, None, :2]
        if reference.shape[-1] == 2:
            # Offsets are in pixels.
            if sizes is None:
                # Repeated, as dividing pairs of numbers is not vectorised.
                sides = spatial_shapes.flip(-1)[:, None].clamp(min=1)
                sides = sides.repeat(1, self.num_points, 1)
            else:
                sides = level_sides(sizes, self.num_points, query.device)
            return centre + offsets / sides
        size = reference[:, :, None, :, None, 2:]
        return centre + offsets / self.num_points * size * 0.5

    def _attend(
        self,
        value: Tensor,
        locations: Tensor,
        weights: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor,
        sizes: Sizes | None = None,
    ) -> Tensor:
        device = value.device.type
        if device == 'cpu':
            if sizes is None:
                sizes = tuple(map(tuple, spatial_shapes.tolist()))
            return deformable_attention(value, sizes, locations, weights)
        if device not in _WITH_OPERATOR:
            return multi_scale_deformable_attn_pytorch(
                value, spatial_shapes, locations, weights
            )
        inputs = value, spatial_shapes, level_start_index, locations, weights
        if torch.compiler.is_compiling():
            return attend_on_device(*inputs, self.im2col_step)
        return MultiScaleDeformableAttnFunction.apply(
            *inputs, self.im2col_step
        )


def deformable_attention(
    value: Tensor, sizes: Sizes, locations: Tensor, weights: Tensor
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
    sizes = tuple(map(tuple, sizes))
    if sum(height * width for height, width in sizes) != value.shape[1]:
        raise ValueError(
            f'{value.shape[1]} values for levels of sizes {sizes}'
        )
    geometry = level_geometry(sizes, value.device)
    return attend(value, *geometry, locations, weights)


@torch.library.custom_op('mmseg_plugin::deformable_attention', mutates_args=())
def attend_on_device(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    locations: Tensor,
    weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """mmcv's operator as one node of a compiled graph, (B, Q, heads * C).

    Args:
        value: (B, N, heads, C), all levels flattened.
        spatial_shapes: see :meth:`DeformableAttention.forward`.
        level_start_index: the same.
        locations: (B, Q, heads, L, P, 2), (x, y) in [0, 1].
        weights: (B, Q, heads, L, P).
        im2col_step: images at a time.
    """
    kept = SimpleNamespace(save_for_backward=lambda *_: None)
    return MultiScaleDeformableAttnFunction.forward(
        *(kept, value, spatial_shapes, level_start_index),
        *(locations, weights, im2col_step),
    )


@attend_on_device.register_fake
def _(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    locations: Tensor,
    weights: Tensor,
    im2col_step: int,
) -> Tensor:
    batch, _, heads, channels = value.shape
    return value.new_empty(batch, locations.shape[1], heads * channels)


@torch.library.custom_op(
    'mmseg_plugin::deformable_attention_backward', mutates_args=()
)
def _gradients_on_device(
    grad: Tensor,
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    locations: Tensor,
    weights: Tensor,
    im2col_step: int,
) -> tuple[Tensor, Tensor, Tensor]:
    kept = SimpleNamespace(
        saved_tensors=(
            *(value, spatial_shapes, level_start_index),
            *(locations, weights),
        ),
        im2col_step=im2col_step,
    )
    found = MultiScaleDeformableAttnFunction.backward(kept, grad)
    return found[0], found[3], found[4]


@_gradients_on_device.register_fake
def _(
    grad: Tensor,
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    locations: Tensor,
    weights: Tensor,
    im2col_step: int,
) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(map(torch.empty_like, (value, locations, weights)))


def _keep(ctx: Any, inputs: tuple, output: Tensor) -> None:
    *tensors, ctx.im2col_step = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, grad: Tensor) -> tuple:
    value, locations, weights = _gradients_on_device(
        grad, *ctx.saved_tensors, ctx.im2col_step
    )
    return value, None, None, locations, weights, None


attend_on_device.register_autograd(_differentiate, setup_context=_keep)


def encode_levels(
    encoder: nn.Module, query: Tensor, position: Tensor, sizes: Sizes
) -> Tensor:
    """Runs mmdet's deformable encoder where nothing is padded.

    Args:
        encoder: its layers attend by :class:`DeformableAttention`.
        query: flattened levels, (B, N, C).
        position: added to it in the attention, (1, N, C).
        sizes: height and width of each level.

    Returns:
        (B, N, C).
    """
    # Layers add to it, and places need more digits than a half has.
    query = at_least_float32(query)
    shapes, starts = level_geometry(sizes, query.device)
    centres = pixel_centres(sizes, query.device, query.dtype)
    return encoder(
        query=query,
        query_pos=position.expand_as(query),
        key_padding_mask=None,
        spatial_shapes=shapes,
        level_start_index=starts,
        valid_ratios=None,
        reference_points=centres[:, None].expand(
            query.shape[0], -1, len(sizes), -1
        ),
        sizes=sizes,
    )


def use_deformable_attention(module: nn.Module) -> None:
    """Puts :class:`DeformableAttention` in place of mmcv's in ``module``.

    Args:
        module: changed in place; its state dict stays the same.
    """
    for part in module.modules():
        if type(part) is MultiScaleDeformableAttention:
            # Only the way it computes differs.
            part.__class__ = DeformableAttention
