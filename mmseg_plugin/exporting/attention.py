"""Deformable attention by operators that ONNX has."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_plugin.models.layers.deformable_attention import (
    DeformableAttention,
)
from mmseg_plugin.models.layers.geometry import Sizes
from mmseg_plugin.structures.sampling import bilinear_corners


class _SampledAttention(DeformableAttention):
    """Samples level by level, by :meth:`_sampled`."""

    def _attend(
        self,
        value: Tensor,
        locations: Tensor,
        weights: Tensor,
        spatial_shapes: Tensor,
        level_start_index: Tensor,
        sizes: Sizes | None = None,
    ) -> Tensor:
        if sizes is None:
            raise ValueError('the levels of an export have known sizes')
        lengths = [height * width for height, width in sizes]
        # Points before queries: sums over the former are those of rows.
        places = locations.permute(0, 2, 3, 4, 1, 5)
        shares = weights.permute(0, 2, 3, 4, 1)
        total = value.new_zeros(())
        for level, part in enumerate(value.split(lengths, 1)):
            maps = part.permute(0, 2, 3, 1).flatten(0, 1)
            sampled = self._sampled(
                maps.unflatten(-1, sizes[level]),
                places[:, :, level].flatten(0, 1),
            )
            share = shares[:, :, level].flatten(0, 1)[:, None]
            total = total + (sampled * share).sum(2)
        sums = total.unflatten(0, (-1, self.num_heads))
        return sums.flatten(1, 2).transpose(1, 2)

    def _sampled(self, maps: Tensor, places: Tensor) -> Tensor:
        """Values (n, C, P, Q) of maps (n, C, h, w) at (n, P, Q, 2)."""
        raise NotImplementedError


class GridAttention(_SampledAttention):
    """By ``GridSample``, of ONNX from opset 16 on."""

    def _sampled(self, maps: Tensor, places: Tensor) -> Tensor:
        return F.grid_sample(maps, 2 * places - 1, align_corners=False)


class GatherAttention(_SampledAttention):
    """By gathering four corners, for runtimes without ``GridSample``."""

    def _sampled(self, maps: Tensor, places: Tensor) -> Tensor:
        index, weight = bilinear_corners(places, maps.shape[-2:])
        pixels = maps.flatten(2)
        total = maps.new_zeros(())
        for corner, share in zip(index, weight, strict=True):
            where = (
                corner.long()
                .flatten(1)[:, None]
                .expand(-1, pixels.shape[1], -1)
            )
            part = pixels.gather(2, where).unflatten(2, places.shape[1:3])
            total = total + part * share[:, None]
        return total


SAMPLING: dict[str, type[_SampledAttention]] = {
    'grid': GridAttention,
    'gather': GatherAttention,
}


def use_sampling(model: nn.Module, kind: str) -> None:
    """Changes how a model's deformable attention samples.

    Args:
        model: changed in place; its state dict stays the same.
        kind: key of :data:`SAMPLING`.
    """
    for part in model.modules():
        if type(part) is DeformableAttention:
            # Only the way it computes differs.
            part.__class__ = SAMPLING[kind]
