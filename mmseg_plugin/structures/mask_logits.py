"""Mask logits kept as the two factors of their product."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.structures.matches import Matches


class MaskLogits(NamedTuple):
    """Mask logits ``embed . features`` that nobody has multiplied yet.

    Bilinear sampling and resizing are linear, so they commute with the
    product: sample or resize the few feature channels first, then multiply
    what is needed. Exact up to rounding. :class:`MapChunks` multiplies in
    little memory.

    Attributes:
        embed: (..., B, Q, D), mask embeddings (or kernels) with any leading
            dimensions, such as decoder layers; called ``L`` below, flat.
        features: (B, D, h, w), pixel features; those of other images give
            cross-image logits.
    """

    embed: Tensor
    features: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the maps."""
        return self.features.shape[-2], self.features.shape[-1]

    @property
    def num_layers(self) -> int:
        """Product of the leading dimensions, 1 if there are none."""
        return self.embed.shape[:-3].numel()

    def rows(self, pairs: Matches) -> Tensor:
        """Embeddings (M, D) of the chosen (layer, image, query) triples."""
        embed = self.embed.reshape(self.num_layers, *self.embed.shape[-3:])
        return embed[pairs.layer, pairs.image, pairs.query]

    def dense(self) -> Tensor:
        """Every map, (..., B, Q, h, w): for tests and small inputs."""
        return torch.einsum('...bqd,bdhw->...bqhw', self.embed, self.features)
