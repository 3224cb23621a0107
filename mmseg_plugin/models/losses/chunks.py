"""A loss of dense masks that exist in chunks only."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmseg_plugin.structures import MaskLogits, Matches


def loss_in_chunks(
    loss: Callable[..., Tensor],
    masks: MaskLogits,
    matches: Matches,
    targets: Tensor,
    weights: Tensor,
    avg_factor: float,
    chunk_size: int,
) -> Tensor:
    """Loss of K masks of each of P targets, a sum over the targets.

    Maps live for one chunk only and are made again in the backward pass.

    Args:
        loss: called like :class:`WeightedDiceLoss`.
        masks: their logits.
        matches: P * K pairs, by image, then by target.
        targets: (P, h, w) in [0, 1].
        weights: (P, K), share of each mask in its target's loss.
        avg_factor: number by which the sum is divided.
        chunk_size: most values of maps that exist at a time, but at least
            those of one target.

    Returns:
        Scalar; zero that keeps the graph if there is no target.
    """
    shape = weights.shape
    counts = [count // shape[1] for count in matches.counts]
    step = max(chunk_size // (shape[1] * masks.size[0] * masks.size[1]), 1)
    parts = zip(
        masks.features,
        masks.rows(matches).unflatten(0, shape).split(counts),
        targets.split(counts),
        weights.split(counts),
        strict=True,
    )

    def loss_of_chunk(
        features: Tensor, embed: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        maps = embed @ features.flatten(1)
        maps = maps.unflatten(2, features.shape[1:])
        return loss(maps, targets, weights, avg_factor)

    losses = [
        checkpoint(loss_of_chunk, features, *chunk, use_reentrant=False)
        for features, *values in parts
        for chunk in zip(*(part.split(step) for part in values), strict=True)
    ]
    return torch.stack(losses).sum()
