"""Mask losses at importance-sampled points, as Mask2Former trains them."""

import numpy as np
import torch
from torch import Tensor, nn

from mmseg_plugin.models.losses.matched_points import (
    BCEAndDice,
    MatchedPointLosses,
    MatchedPoints,
)
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

    Raises:
        ValueError: there are fewer candidates than points to choose, or the
            share is none.
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
        if not 0 <= importance_sample_ratio <= min(oversample_ratio, 1):
            raise ValueError(
                f'importance_sample_ratio={importance_sample_ratio} is not '
                f'within 0, 1 and oversample_ratio={oversample_ratio}'
            )
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
        embed = at_least_float32(masks.rows(matches))
        features = at_least_float32(masks.features)
        if points is None and self.shared_points:
            losses = self._shared_losses(embed, features, targets, matches)
        else:
            losses = self._dense_losses(
                embed, features, targets, matches, points
            )
        sums = matches.sum_by_layer(losses, masks.num_layers)
        bce, dice = sums / avg_factor
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

    def _dense_losses(
        self,
        embed: Tensor,
        features: Tensor,
        targets: list[Targets],
        matches: Matches,
        points: Tensor | None = None,
        uniform: Tensor | None = None,
    ) -> Tensor:
        """Losses (2, M) at points on dense maps.

        They are given, (M, K, 2), or chosen from the image's ``uniform`` ones
        (B, P, 2), or drawn for each map.
        """

        def choose(maps: Tensor, image: int, rows: slice) -> Tensor:
            if points is not None:
                return points[rows]
            shared = None if uniform is None else uniform[image : image + 1]
            return self.draw_points(maps, shared)

        num_points = self.num_points if points is None else points.shape[1]
        step = max(self.chunk_size // features[0, 0].numel(), 1)
        matched = MatchedPoints(targets, matches, choose, num_points, step)
        return MatchedPointLosses.apply(embed, features, matched)

    def _shared_losses(
        self,
        embed: Tensor,
        features: Tensor,
        targets: list[Targets],
        matches: Matches,
    ) -> Tensor:
        """Losses (2, M) at choices from one set of points for each image."""
        uniform = self._uniform(len(features), features)
        if uniform.shape[1] > features[0, 0].numel():
            # Fewer pixels than points: dense maps are the shorter way.
            return self._dense_losses(
                embed, features, targets, matches, uniform=uniform
            )
        columns = sample_features(features, uniform).unbind()
        step = max(self.chunk_size // uniform.shape[1], 1)
        losses = []
        for image, (rows, index) in enumerate(
            zip(
                embed.split(matches.counts),
                matches.target.split(matches.counts),
                strict=True,
            )
        ):
            values = sample_masks(targets[image].masks, uniform[image])
            losses += [
                self._column_losses(part @ columns[image].T, values[chosen])
                for part, chosen in zip(
                    rows.split(step), index.split(step), strict=True
                )
            ]
        return torch.cat(losses, 1)

    def _column_losses(self, logits: Tensor, values: Tensor) -> Tensor:
        """Losses (2, N), given logits and targets (N, P) at all points."""
        uncertain = _nearest_zero(
            logits.detach()[:, : self.num_candidates], self.num_uncertain
        )
        kept = torch.arange(
            self.num_candidates, logits.shape[1], device=logits.device
        )
        chosen = torch.cat((uncertain, kept.expand(len(logits), -1)), 1)
        return BCEAndDice.apply(
            logits.gather(1, chosen), values.gather(1, chosen)
        )


def _nearest_zero(values: Tensor, count: int) -> Tensor:
    """Index (N, count) of the values (N, P) that are nearest to zero."""
    distance = values.abs()
    if values.device.type != 'cpu':
        return distance.topk(count, 1, largest=False, sorted=False)[1]
    # NumPy's selection is five times as fast as topk on a CPU.
    order = np.argpartition(distance.numpy(), count - 1, axis=1)
    return torch.from_numpy(order[:, :count])
