"""Intra-Batch Supervision as published: maps of all queries, then a few."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.structures import MaskLogits, Matches


def full_ibs_loss(
    masks: MaskLogits, matches: Matches, partners: Tensor
) -> Tensor:
    """Focal loss (L,) of the matched queries on all pixels of the partner.

    Args:
        masks: embeddings (L, B, Q, D) and features (B, D, h, w).
        matches: pairs of queries and things.
        partners: int64 (L, B), the other image.
    """
    losses = []
    for layer, embed in enumerate(masks.embed):
        others = masks.features[partners[layer]]
        maps = torch.einsum('bqd,bdhw->bqhw', embed, others)
        here = matches.layer == layer
        logits = maps[matches.image[here], matches.query[here]].flatten(1)
        negative = F.softplus(logits) * logits.sigmoid() ** 2
        losses.append(0.75 * negative.mean(1).sum() / max(len(logits), 1))
    return torch.stack(losses)
