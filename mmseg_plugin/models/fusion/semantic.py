"""Semantic results from queries."""

import torch
from torch import Tensor

from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.structures.sampling import resize
from mmseg_plugin.utils.precision import without_autocast


@without_autocast
def semantic_scores(
    scores: Tensor,
    maps: QueryMaps,
    mask_softmax: bool = False,
    resize_masks: bool = False,
    chunk_size: int = 16,
) -> Tensor:
    """Sums the masks of all queries, weighted by their class scores.

    MaskFormer, section 3.4 (semantic inference).

    Args:
        scores: (Q, C), class probabilities without no-object.
        maps: mask logits of the queries.
        mask_softmax: mask probabilities by softmax over the queries, which
            the MaskFormer paper compares, in place of sigmoid; needs all
            maps at once.
        resize_masks: resize masks, then sum (published for models that also
            give panoptic or instance results); else sum at the padded size
            and resize the classes, which are fewer.
        chunk_size: masks held at once.

    Returns:
        (C, *out), not normalised.
    """
    size = maps.sizes.out if resize_masks else maps.sizes.padded
    total = scores.new_empty(scores.shape[1], size[0] * size[1])
    queries = torch.arange(len(scores), device=scores.device)
    chunks = queries.split(len(queries) if mask_softmax else chunk_size)
    for number, chunk in enumerate(chunks):
        if resize_masks:
            logits = maps.full(chunk)
        else:
            logits = resize(maps.low(chunk), size)
        probs = logits.softmax(0) if mask_softmax else logits.sigmoid()
        # In place, since one value for each pixel and class is large.
        part = probs.flatten(1)
        total.addmm_(scores[chunk].T, part, beta=min(number, 1))
    total = total.unflatten(1, size)
    return total if resize_masks else maps.unpad(total)
