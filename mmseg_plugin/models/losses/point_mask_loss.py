"""Mask losses at importance-sampled points, as Mask2Former trains them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    Targets,
    sample_features,
    sample_maps,
    sample_masks,
)
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@MODELS.register_module()
class PointMaskLoss(nn.Module):
    """BCE and dice loss of matched masks at points (Mask2Former, eq. 3).

    Args:
        num_points: K, points for each mask.
        oversample_ratio: candidates per point.
        importance_sample_ratio: share of the points that are the most
            uncertain candidates; the rest is uniform.
        mask_weight: factor of the BCE loss.
        dice_weight: factor of the dice loss.
        shared_points: draw one set of candidates for all masks of an image
            instead of one for each mask: faster, and the same law for each
            mask, but masks and layers are no longer independent.
        chunk_size: most values of dense maps that exist at a time.
    """

    def __init__(
        self,
        num_points: int = 12544,
        oversample_ratio: float = 3.0,
        importance_sample_ratio: float = 0.75,
        mask_weight: float = 5.0,
        dice_weight: float = 5.0,
        shared_points: bool = False,
        chunk_size: int = 2**22,
    ) -> None:
        super().__init__()
        self.num_points = num_points
        self.num_candidates = int(num_points * oversample_ratio)
        self.num_uncertain = int(num_points * importance_sample_ratio)
        self.mask_weight = mask_weight
        self.dice_weight = dice_weight
        self.shared_points = shared_points
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
            points: (M, K, 2) in [0, 1], one row for each match, instead of
                drawing them.

        Returns:
            BCE and dice loss, (L,) each; zeros that keep the graph where
            nothing is matched.
        """
        rows = at_least_float32(masks.rows(matches)).split(matches.counts)
        features = at_least_float32(masks.features)
        losses = []
        for image, embed in enumerate(rows):
            pairs = _ImagePairs(
                embed,
                features[image],
                targets[image].masks,
                matches.repeats[image],
            )
            if points is not None:
                given = points.split(matches.counts)[image]
                sampled = self._at_own_points(
                    pairs, lambda _, part, given=given: given[part]
                )
            elif self.shared_points:
                index = matches.target.split(matches.counts)[image]
                sampled = self._at_shared_points(pairs, index)
            else:
                sampled = self._at_own_points(
                    pairs, lambda maps, _: self.draw_points(maps)
                )
            losses.append(torch.stack(_BCEAndDice.apply(*sampled)))
        per_layer = features.new_zeros(2, masks.num_layers)
        per_layer = per_layer.index_add(1, matches.layer, torch.cat(losses, 1))
        bce, dice = per_layer / avg_factor
        return self.mask_weight * bce, self.dice_weight * dice

    def draw_points(
        self, maps: Tensor, uniform: Tensor | None = None
    ) -> Tensor:
        """Draws the points of each mask (PointRend, appendix B).

        Args:
            maps: mask logits (N, h, w).
            uniform: uniform points in [0, 1] to take them from, (N, P, 2) or
                (1, P, 2) for all masks; first the candidates, then those
                that are kept whatever they are. Drawn if None.

        Returns:
            (N, K, 2): the candidates nearest to logit zero, then the rest.
        """
        if uniform is None:
            uniform = self._uniform(len(maps), maps)
        uniform = uniform.expand(len(maps), -1, -1)
        candidates = uniform[:, : self.num_candidates]
        uncertain = _nearest_zero(
            sample_maps(maps, candidates), self.num_uncertain
        )
        chosen = candidates.gather(1, uncertain[..., None].expand(-1, -1, 2))
        return torch.cat((chosen, uniform[:, self.num_candidates :]), 1)

    def _uniform(self, sets: int, like: Tensor) -> Tensor:
        rest = self.num_points - self.num_uncertain
        return torch.rand(
            (sets, self.num_candidates + rest, 2),
            dtype=like.dtype,
            device=like.device,
        )

    def _at_own_points(
        self, pairs: '_ImagePairs', choose: Callable[[Tensor, slice], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Logits and targets (M, K) at points that each map chooses."""
        step = max(self.chunk_size // pairs.features[0].numel(), 1)
        logits, points = _PairLogits.apply(
            pairs.embed, pairs.features, choose, step
        )
        return logits, _target_values(pairs.masks, points, pairs.repeats)

    def _at_shared_points(
        self, pairs: '_ImagePairs', index: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits and targets (M, K) at choices from one set of points."""
        uniform = self._uniform(1, pairs.features)
        if uniform.shape[1] > pairs.features[0].numel():
            # Fewer pixels than points: dense maps are the shorter way.
            return self._at_own_points(
                pairs, lambda maps, _: self.draw_points(maps, uniform)
            )
        columns = sample_features(pairs.features[None], uniform)[0].T
        known = sample_masks(pairs.masks, uniform[0])
        kept = torch.arange(
            self.num_candidates, uniform.shape[1], device=index.device
        )
        logits, values = [], []
        step = max(self.chunk_size // uniform.shape[1], 1)
        for embed, target in zip(
            pairs.embed.split(step), index.split(step), strict=True
        ):
            everywhere = embed @ columns
            uncertain = _nearest_zero(
                everywhere.detach()[:, : self.num_candidates],
                self.num_uncertain,
            )
            chosen = torch.cat((uncertain, kept.expand(len(embed), -1)), 1)
            logits.append(everywhere.gather(1, chosen))
            values.append(known[target[:, None], chosen])
        return torch.cat(logits), torch.cat(values)


class _ImagePairs(NamedTuple):
    """Matched pairs of one image, sorted by target."""

    embed: Tensor  # (M, D)
    features: Tensor  # (D, h, w)
    masks: Tensor  # (G, H, W)
    repeats: tuple[int, ...]  # pairs of each target


def _nearest_zero(values: Tensor, count: int) -> Tensor:
    """Index (N, count) of the values (N, P) that are nearest to zero."""
    distance = values.abs()
    if values.is_cuda:
        return distance.topk(count, 1, largest=False, sorted=False)[1]
    # NumPy's selection is five times as fast as topk on a CPU.
    order = np.argpartition(distance.numpy(), count - 1, axis=1)
    return torch.from_numpy(order[:, :count])


def _target_values(
    masks: Tensor, points: Tensor, repeats: tuple[int, ...]
) -> Tensor:
    """Targets at the points (M, K, 2), each mask made float once, alone."""
    values = [
        sample_maps(mask[None].to(points.dtype), where.reshape(1, -1, 2))
        for mask, where in zip(masks, points.split(repeats), strict=True)
    ]
    return torch.cat([points.new_zeros(1, 0), *values], 1).reshape(
        points.shape[:2]
    )


class _PairLogits(torch.autograd.Function):
    """Logits of matched pairs at points of their dense maps.

    The maps live for one chunk only: the backward pass needs no more than
    the points, since sampling and the product are linear.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        embed: Tensor,
        features: Tensor,
        choose: Callable[[Tensor, slice], Tensor],
        step: int,
    ) -> tuple[Tensor, Tensor]:
        """(M, D), (D, h, w) -> logits (M, K), points (M, K, 2)."""
        pixels = features.flatten(1)
        logits, points = [], []
        # At least one chunk, so that K is known where nothing is matched.
        for first in range(0, max(len(embed), 1), step):
            rows = slice(first, first + step)
            maps = (embed[rows] @ pixels).unflatten(1, features.shape[1:])
            points.append(choose(maps, rows))
            logits.append(sample_maps(maps, points[-1]))
        places = torch.cat(points)
        ctx.save_for_backward(embed, features, places)
        ctx.step = step
        ctx.mark_non_differentiable(places)
        return torch.cat(logits), places

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, grad: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        embed, features, points = ctx.saved_tensors
        pixels = features.flatten(1)
        grad_embed = torch.zeros_like(embed)
        grad_pixels = torch.zeros_like(pixels)
        for first in range(0, len(embed), ctx.step):
            rows = slice(first, first + ctx.step)
            grad_maps = _scatter(grad[rows], points[rows], features.shape[1:])
            grad_embed[rows] = grad_maps @ pixels.T
            grad_pixels.addmm_(embed[rows].T, grad_maps)
        return grad_embed, grad_pixels.view_as(features), None, None


def _scatter(grad: Tensor, points: Tensor, size: torch.Size) -> Tensor:
    """Adjoint of :func:`sample_maps`: (N, K) -> (N, h * w)."""
    blank = grad.new_empty(len(grad), 1, *size)
    (maps, _) = torch.ops.aten.grid_sampler_2d_backward(
        grad[:, None, None],
        blank,
        (2 * points - 1)[:, None],
        0,
        0,
        False,
        [True, False],
    )
    return maps.flatten(1)


class _BCEAndDice(torch.autograd.Function):
    """Mean BCE and dice loss of each row, with their gradient in closed form.

    Saves the logits and targets only, where autograd would save the terms.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, logits: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(M, K), (M, K) -> (M,), (M,)."""
        prob = logits.sigmoid()
        overlap = 2 * (prob * values).sum(1) + 1
        total = prob.sum(1) + values.sum(1) + 1
        bce = F.binary_cross_entropy_with_logits(
            logits, values, reduction='none'
        ).mean(1)
        ctx.save_for_backward(logits, values, overlap, total)
        return bce, 1 - overlap / total

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, grad_bce: Tensor, grad_dice: Tensor
    ) -> tuple[Tensor, None]:
        logits, values, overlap, total = ctx.saved_tensors
        prob = logits.sigmoid()
        grad = (prob - values) * (grad_bce / logits.shape[1])[:, None]
        slope = (overlap / total**2)[:, None] - values * (2 / total)[:, None]
        grad += prob * (1 - prob) * slope * grad_dice[:, None]
        return grad, None
