"""Mask losses on every pixel of the image, as before Mask2Former's points.

Source: "Masked-attention Mask Transformer for Universal Image Segmentation"
(arXiv 2112.01527), section 3.3 and table 6, the row without points. The dice
loss passes MaskFormer's golden cases; none has BCE on full masks, which is
that of PyTorch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.structures import MaskLogits, Matches, Targets


def full_mask_losses(
    masks: MaskLogits,
    targets: list[Targets],
    matches: Matches,
    avg_factor: Tensor | float,
) -> tuple[Tensor, Tensor]:
    """BCE and dice loss (L,) of matched masks, resized to the image."""
    rows = masks.rows(matches).split(matches.counts)
    maps = torch.cat(
        [
            row @ pixels.flatten(1)
            for row, pixels in zip(rows, masks.features, strict=True)
        ]
    )
    maps = maps.unflatten(1, masks.size)[:, None]
    size = targets[0].masks.shape[-2:]
    logits = F.interpolate(maps, size, mode='bilinear', align_corners=False)
    logits = logits.flatten(1)
    pairs = zip(targets, matches.target.split(matches.counts), strict=True)
    values = torch.cat([image.masks[index] for image, index in pairs])
    values = values.flatten(1).to(logits)
    bce = F.binary_cross_entropy_with_logits(logits, values, reduction='none')
    prob = logits.sigmoid()
    overlap = 2 * (prob * values).sum(1) + 1
    dice = 1 - overlap / (prob.sum(1) + values.sum(1) + 1)
    zero = maps.new_zeros(2, masks.num_layers)
    losses = torch.stack((bce.mean(1), dice))
    bce, dice = zero.index_add(1, matches.layer, losses) / avg_factor
    return bce, dice
