"""Mask losses on all pixels, as MaskFormer trains them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from mmseg_plugin.structures.map_chunks import MapChunks
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@MODELS.register_module()
class DenseMaskLoss(nn.Module):
    """Focal and dice loss of matched masks at the size of the targets.

    MaskFormer, section 3.4 and its ``criterion.py``. Maps live for one chunk
    only, in either size, and are made again in the backward pass.

    Args:
        alpha: weight of positives; negative to leave both unweighted.
        gamma: power of the modulating factor.
        mask_weight: factor of the focal loss.
        dice_weight: factor of the dice loss.
        chunk_size: most values of resized maps that exist at a time; see
            :func:`map_budget`.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        mask_weight: float = 20.0,
        dice_weight: float = 1.0,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.mask_weight = mask_weight
        self.dice_weight = dice_weight
        self.chunk_size = chunk_size

    @without_autocast
    def forward(
        self,
        masks: MaskLogits,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor | float,
        points: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Losses of every layer.

        Args:
            masks: embeddings (L, B, Q, D) and features (B, D, h, w).
            targets: of each image.
            matches: pairs of queries and targets.
            avg_factor: number of targets by which the sums are divided.
            points: not used; taken so that mask losses can be swapped.

        Returns:
            Focal and dice loss, (L,) each; zeros that keep the graph where
            nothing is matched.
        """
        embed = at_least_float32(masks.rows(matches))
        features = at_least_float32(masks.features)
        size = targets[0].masks.shape[-2:].numel()
        chunks = MapChunks(
            *(matches.counts, size, features.device, self.chunk_size)
        )
        losses = [
            checkpoint(
                self._losses,
                *(embed[rows], features[image]),
                *(targets[image].masks, matches.target[rows]),
                use_reentrant=False,
                # Nothing is random here.
                preserve_rng_state=False,
            )
            for image, rows in chunks
        ]
        if not losses:
            none = 0 * (embed.sum() + features.sum())
            losses = [none.expand(2, 0)]
        sums = matches.sum_by_layer(torch.cat(losses, 1), masks.num_layers)
        focal, dice = sums / avg_factor
        return self.mask_weight * focal, self.dice_weight * dice

    def _losses(
        self, embed: Tensor, features: Tensor, masks: Tensor, index: Tensor
    ) -> Tensor:
        """Focal and dice loss (2, N) of maps (N, D) x (D, h, w)."""
        maps = embed @ features.flatten(1)
        logits = F.interpolate(
            maps.unflatten(1, features.shape[1:])[:, None],
            masks.shape[-2:],
            mode='bilinear',
            align_corners=False,
        ).flatten(1)
        values = masks[index].flatten(1).to(logits.dtype)
        prob = logits.sigmoid()
        error = prob + values - 2 * prob * values
        focal = error**self.gamma * F.binary_cross_entropy_with_logits(
            logits, values, reduction='none'
        )
        if self.alpha >= 0:
            focal = focal * (1 - self.alpha + (2 * self.alpha - 1) * values)
        overlap = 2 * (prob * values).sum(1) + 1
        total = prob.sum(1) + values.sum(1) + 1
        return torch.stack((focal.mean(1), 1 - overlap / total))
