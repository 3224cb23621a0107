"""A loss of dense masks that exist in chunks only."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmseg_plugin.structures import MaskLogits, Matches
from mmseg_plugin.structures.map_chunks import MapChunks


def loss_in_chunks(
    loss: Callable[..., Tensor],
    masks: MaskLogits,
    matches: Matches,
    targets: Tensor,
    weights: Tensor,
    avg_factor: float,
    chunk_size: int | None = None,
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
            those of one target; see :func:`map_budget`.

    Returns:
        Scalar; zero that keeps the graph if there is no target.
    """
    count, each = weights.shape
    rows = masks.rows(matches).unflatten(0, (count, each))
    chunks = MapChunks(
        [count // each for count in matches.counts],
        *(each * masks.size[0] * masks.size[1], targets.device, chunk_size),
    )

    def loss_of_chunk(
        features: Tensor, embed: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        maps = embed @ features.flatten(1)
        maps = maps.unflatten(2, features.shape[1:])
        return loss(maps, targets, weights, avg_factor)

    losses = [
        checkpoint(
            loss_of_chunk,
            masks.features[image],
            *(rows[some], targets[some], weights[some]),
            use_reentrant=False,
            # Nothing is random here.
            preserve_rng_state=False,
        )
        for image, some in chunks
    ]
    if not losses:
        return loss_of_chunk(masks.features[0], rows, targets, weights)
    return torch.stack(losses).sum()
