"""Which prediction belongs to which target."""

from typing import NamedTuple

import torch
from torch import Tensor


class Matches(NamedTuple):
    """Pairs of a prediction and a target, sorted by image, then by target.

    Attributes:
        layer: decoder layer (flat leading index) of each pair, int64 (M,).
        image: image of the batch, int64 (M,).
        query: int64 (M,).
        target: index among the targets of the pair's image, int64 (M,).
        repeats: for each image, how many pairs each of its targets has,
            known to the host.
        on_host: layer, image and class of each pair, int64 (3, M) on the
            CPU; None if only the device knows.
    """

    layer: Tensor
    image: Tensor
    query: Tensor
    target: Tensor
    repeats: tuple[tuple[int, ...], ...]
    on_host: Tensor | None = None

    @property
    def counts(self) -> list[int]:
        """Number of pairs of each image."""
        return [sum(image) for image in self.repeats]

    def sum_by_layer(self, values: Tensor, num_layers: int) -> Tensor:
        """Sums values of the pairs, (n, M), to (n, L), L = ``num_layers``."""
        sums = values.new_zeros(len(values), num_layers)
        return sums.index_add(1, self.layer, values)

    def pairs_on_host(self, layer: Tensor, labels: Tensor) -> Tensor:
        """What ``on_host`` has to be.

        Args:
            layer: of each pair, int64 (M,) on the CPU.
            labels: of the targets of all images, int64 (G,) on the CPU.
        """
        image = torch.arange(len(self.repeats))
        image = image.repeat_interleave(torch.tensor(self.counts))
        repeats = [count for image in self.repeats for count in image]
        labels = labels.repeat_interleave(torch.tensor(repeats).long())
        return torch.stack((layer, image, labels))

    @classmethod
    def fixed(cls, queries: list[Tensor], num_layers: int) -> 'Matches':
        """Pairs known beforehand, the same in every layer.

        Denoising queries, and the choice of queries at test time.

        Args:
            queries: per image, the queries of each target, int64 (G_i, n).
            num_layers: layers to repeat them for.
        """
        parts, repeats = [], []
        for i, chosen in enumerate(queries):
            num_targets, per_target = chosen.shape
            layer = torch.arange(num_layers, device=chosen.device)
            target = torch.arange(num_targets, device=chosen.device)
            shape = (num_targets, num_layers, per_target)
            pairs = (
                layer[:, None].expand(shape),
                torch.full_like(chosen[:, None], i).expand(shape),
                chosen[:, None].expand(shape),
                target[:, None, None].expand(shape),
            )
            parts.append([part.flatten() for part in pairs])
            repeats.append((num_layers * per_target,) * num_targets)
        layer, image, query, target = (
            torch.cat(part) for part in zip(*parts, strict=True)
        )
        return cls(layer, image, query, target, tuple(repeats))
