"""Which prediction belongs to which target."""

from typing import NamedTuple

import torch
from torch import Tensor


class Matches(NamedTuple):
    """Pairs of a prediction and a target, sorted by image.

    Attributes:
        layer: decoder layer (flat leading index) of each pair, int64 (M,).
        image: image of the batch, ascending, int64 (M,).
        query: int64 (M,).
        target: index among the targets of the pair's image, int64 (M,).
        counts: how many pairs each image has, known to the host.
    """

    layer: Tensor
    image: Tensor
    query: Tensor
    target: Tensor
    counts: tuple[int, ...]

    @classmethod
    def fixed(
        cls, queries: list[Tensor], targets: list[Tensor], num_layers: int
    ) -> 'Matches':
        """Pairs known beforehand, the same in every layer.

        Denoising queries and the ``chosen`` of :meth:`MaskLogits.of` at test
        time are given so.

        Args:
            queries: per image, int64 (M_i,).
            targets: per image, int64 (M_i,).
            num_layers: layers to repeat them for.
        """
        device = queries[0].device
        layers = torch.arange(num_layers, device=device)
        sizes = torch.tensor([len(q) for q in queries], device=device)
        images = torch.arange(len(queries), device=device)
        return cls(
            torch.cat([layers.repeat_interleave(len(q)) for q in queries]),
            images.repeat_interleave(
                sizes * num_layers,
                output_size=num_layers * sum(len(q) for q in queries),
            ),
            torch.cat([q.repeat(num_layers) for q in queries]),
            torch.cat([t.repeat(num_layers) for t in targets]),
            tuple(num_layers * len(q) for q in queries),
        )
