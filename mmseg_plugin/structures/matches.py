"""Which prediction belongs to which target."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.utils.host import to_device


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
        labels: classes of all targets of all images, also of those without a
            pair, int64 (G,) on the CPU; None if only the device knows.
    """

    layer: Tensor
    image: Tensor
    query: Tensor
    target: Tensor
    repeats: tuple[tuple[int, ...], ...]
    on_host: Tensor | None = None
    labels: Tensor | None = None

    @property
    def counts(self) -> list[int]:
        """Number of pairs of each image."""
        return [sum(image) for image in self.repeats]

    def sum_by_layer(self, values: Tensor, num_layers: int) -> Tensor:
        """Sums values of the pairs, (n, M), to (n, L), L = ``num_layers``."""
        sums = values.new_zeros(len(values), num_layers)
        return sums.index_add(1, self.layer, values)

    @classmethod
    def of_pairs(
        cls,
        pairs: np.ndarray,
        num_targets: Sequence[int],
        device: torch.device,
        labels: Tensor | None = None,
    ) -> 'Matches':
        """Pairs that the host knows, in any order.

        Args:
            pairs: layer, image, query and target, int64 (4, M).
            num_targets: of each image.
            device: where the pairs are needed.
            labels: classes of the targets of all images, int64 (G,) on the
                CPU; without them there is no ``on_host``.
        """
        _, owner, _, wanted = pairs
        starts = np.cumsum([0, *num_targets])
        place = starts[owner] + wanted
        pairs = pairs[:, place.argsort(kind='stable')]
        counts = np.bincount(place, minlength=starts[-1]).tolist()
        repeats = tuple(
            tuple(counts[first:end])
            for first, end in zip(starts[:-1], starts[1:], strict=True)
        )
        on_device = to_device(torch.from_numpy(pairs), device)
        on_host = None
        if labels is not None:
            classes = labels.numpy()[np.sort(place)]
            on_host = torch.from_numpy(np.stack((*pairs[:2], classes)))
        layer, image, query, target = on_device
        return cls(layer, image, query, target, repeats, on_host, labels)

    @classmethod
    def fixed(
        cls,
        queries: list[Tensor],
        num_layers: int,
        labels: Tensor | None = None,
    ) -> 'Matches':
        """Pairs known beforehand, the same in every layer.

        Denoising queries, and the choice of queries at test time.

        Args:
            queries: per image, the queries of each target, int64 (G_i, n).
            num_layers: layers to repeat them for.
            labels: see :meth:`of_pairs`.
        """
        numbers = []
        for image, chosen in enumerate(queries):
            count, each = chosen.shape
            shape = (count, num_layers, each)
            target, layer, _ = np.indices(shape).reshape(3, -1)
            numbers.append((layer, np.full_like(layer, image), layer, target))
        known = cls.of_pairs(
            np.concatenate(numbers, 1),
            *([len(chosen) for chosen in queries], queries[0].device, labels),
        )
        # Only the device knows the queries.
        query = [
            chosen[:, None].expand(-1, num_layers, -1).flatten()
            for chosen in queries
        ]
        return known._replace(query=torch.cat(query))
