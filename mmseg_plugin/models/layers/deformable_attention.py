"""Multi-scale deformable attention: fast on a CPU, no waiting on a GPU."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import MultiScaleDeformableAttention
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from torch import Tensor, nn

from mmseg_plugin.models.layers.deformable_attention_cpu import (
    deformable_attention,
)
from mmseg_plugin.utils.host import to_device
from mmseg_plugin.utils.precision import at_least_float32

# Kinds of devices that mmcv's operator is written for.
_WITH_OPERATOR = ('cuda', 'mlu')


class DeformableAttention(MultiScaleDeformableAttention):
    """mmcv's module, with the same parameters and numbers.

    On a CPU it gathers and weighs in one go what mmcv's fallback first
    samples, level by level. On a GPU it runs mmcv's operator, without mmcv's
    check of the number of keys, for which the host waits in every layer; on
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
            self._locations(query, reference_points, spatial_shapes),
            at_least_float32(self._weights(query)),
            spatial_shapes,
            level_start_index,
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
        self, query: Tensor, reference: Tensor, spatial_shapes: Tensor
    ) -> Tensor:
        """Where to look (B, Q, heads, L, P, 2), in [0, 1] of each level."""
        offsets = at_least_float32(self.sampling_offsets(query)).unflatten(
            -1, (self.num_heads, self.num_levels, self.num_points, 2)
        )
        centre = reference[:, :, None, :, None, :2]
        if reference.shape[-1] == 2:
            # Offsets are in pixels.
            size = spatial_shapes.flip(-1)[:, None]
            # Repeated, since dividing pairs of numbers cannot be vectorised.
            return centre + offsets / size.repeat(1, self.num_points, 1)
        size = reference[:, :, None, :, None, 2:]
        return centre + offsets / self.num_points * size * 0.5

    def _attend(
        self,
        value: Tensor,
        locations: Tensor,
        weights: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor,
    ) -> Tensor:
        device = value.device.type
        if device == 'cpu':
            sizes = spatial_shapes.tolist()
            return deformable_attention(value, sizes, locations, weights)
        if device not in _WITH_OPERATOR:
            return multi_scale_deformable_attn_pytorch(
                value, spatial_shapes, locations, weights
            )
        return MultiScaleDeformableAttnFunction.apply(
            value,
            spatial_shapes,
            level_start_index,
            locations,
            weights,
            self.im2col_step,
        )


def level_geometry(
    sizes: Sequence[Sequence[int]], device: torch.device
) -> tuple[Tensor, Tensor]:
    """``spatial_shapes`` and ``level_start_index`` of flattened levels.

    Args:
        sizes: height and width of each level.
        device: to put them on, without waiting for it.

    Returns:
        Int64 (L, 2) and (L,).
    """
    shapes = torch.tensor(sizes)
    starts = shapes.prod(1).cumsum(0) - shapes.prod(1)
    return to_device(shapes, device), to_device(starts, device)


def pixel_centres(feat: Tensor) -> Tensor:
    """(x, y) in [0, 1] of every pixel of a map, (h * w, 2)."""
    rows, cols = (
        (torch.arange(length, device=feat.device) + 0.5) / length
        for length in feat.shape[-2:]
    )
    return torch.cartesian_prod(rows, cols).flip(-1).to(feat)


def use_deformable_attention(module: nn.Module) -> None:
    """Puts :class:`DeformableAttention` in place of mmcv's in ``module``.

    Args:
        module: changed in place; its state dict stays the same.
    """
    for part in module.modules():
        if type(part) is MultiScaleDeformableAttention:
            # Only the way it computes differs.
            part.__class__ = DeformableAttention
