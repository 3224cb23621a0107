"""Mask logits kept as the two factors of their product."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.structures.matches import Matches
from mmseg_plugin.structures.sampling import sample_features


class MaskLogits(NamedTuple):
    """Mask logits ``embed . features`` that nobody has multiplied yet.

    Bilinear sampling and resizing are linear, so they commute with the
    product: sample or resize the few feature channels first, then multiply
    what is needed. Exact up to rounding.

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

    def at(self, points: Tensor) -> Tensor:
        """Logits at points, bilinear, zero outside the map.

        Args:
            points: (x, y) in [0, 1]; (B, K, 2) shared by all layers, or
                (L, B, K, 2).

        Returns:
            (..., B, Q, K).
        """
        embed = self.embed.reshape(self.num_layers, *self.embed.shape[-3:])
        if points.dim() == 3:
            logits = _at_shared(embed, self.features, points)
        else:
            logits = torch.cat(
                [
                    _at_shared(layer[None], self.features, where)
                    for layer, where in zip(embed, points, strict=True)
                ]
            )
        return logits.reshape(*self.embed.shape[:-1], -1)

    def rows(self, pairs: Matches) -> Tensor:
        """Embeddings (M, D) of the chosen (layer, image, query) triples."""
        embed = self.embed.reshape(self.num_layers, *self.embed.shape[-3:])
        return embed[pairs.layer, pairs.image, pairs.query]

    def of(self, pairs: Matches) -> Tensor:
        """Dense maps (M, h, w) of the chosen triples and of no others."""
        rows = self.rows(pairs).split(pairs.counts)
        maps = [
            row @ pixels.flatten(1)
            for row, pixels in zip(rows, self.features, strict=True)
        ]
        return torch.cat(maps).unflatten(1, self.size)

    def resized(self, size: tuple[int, int]) -> 'MaskLogits':
        """The same masks at another height and width, bilinear."""
        features = F.interpolate(
            self.features, size, mode='bilinear', align_corners=False
        )
        return MaskLogits(self.embed, features)

    def dense(self) -> Tensor:
        """Every map, (..., B, Q, h, w): for tests and small inputs."""
        return torch.einsum('...bqd,bdhw->...bqhw', self.embed, self.features)


def _product(embed: Tensor, columns: Tensor) -> Tensor:
    """(L, B, Q, D) x (B, D, K) -> (L, B, Q, K), one product per image."""
    layers, _, queries, _ = embed.shape
    rows = embed.transpose(0, 1).flatten(1, 2)
    product = torch.bmm(rows, columns)
    return product.unflatten(1, (layers, queries)).transpose(0, 1)


def _at_shared(embed: Tensor, features: Tensor, points: Tensor) -> Tensor:
    """Logits (L, B, Q, K) at points (B, K, 2)."""
    layers, batch, queries, _ = embed.shape
    height, width = features.shape[-2:]
    if points.shape[1] <= height * width:
        sampled = sample_features(features, points)
        return _product(embed, sampled.transpose(1, 2))
    # Fewer pixels than points: multiply on the pixels, then sample.
    maps = _product(embed, features.flatten(2)).transpose(0, 1)
    maps = maps.reshape(batch, layers * queries, height, width)
    sampled = sample_features(maps, points).transpose(1, 2)
    return sampled.unflatten(1, (layers, queries)).transpose(0, 1)
