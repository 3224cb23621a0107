"""Mask losses at importance-sampled points, as Mask2Former trains them."""

from torch import Tensor, nn

from mmseg_plugin.models.losses.map_losses import LossesOfMaps
from mmseg_plugin.models.losses.matched_points import (
    PointLosses,
    SharedPointLosses,
    bce_and_dice,
)
from mmseg_plugin.models.losses.point_sampler import PointSampler
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    Targets,
    sample_features,
    sample_masks,
)
from mmseg_plugin.structures.map_chunks import MapChunks
from mmseg_plugin.structures.sampling import sample_grid
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@MODELS.register_module()
class PointMaskLoss(nn.Module):
    """BCE and dice loss of matched masks at points (Mask2Former, eq. 3).

    Args:
        num_points: see :class:`PointSampler`.
        oversample_ratio: the same.
        importance_sample_ratio: the same.
        mask_weight: factor of the BCE loss.
        dice_weight: factor of the dice loss.
        shared_points: draw one set of candidates for all masks of an image
            instead of one for each mask: faster, and the same law for each
            mask, but masks and layers are no longer independent.
        chunk_size: most values of dense maps that exist at a time; see
            :func:`map_budget`.

    Raises:
        ValueError: see :class:`PointSampler`.
    """

    def __init__(
        self,
        num_points: int = 12544,
        oversample_ratio: float = 3.0,
        importance_sample_ratio: float = 0.75,
        mask_weight: float = 5.0,
        dice_weight: float = 5.0,
        shared_points: bool = False,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__()
        self.sampler = PointSampler(
            num_points, oversample_ratio, importance_sample_ratio
        )
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
        uniform = None
        if points is None and self.shared_points:
            uniform = self.sampler.uniform(len(features), features)
        if uniform is None or uniform.shape[1] > features[0, 0].numel():
            # With fewer pixels than points dense maps are the shorter way.
            parts = self._at_places(
                *(embed, features, targets, matches),
                None if points is None else 2 * points.to(embed.dtype) - 1,
                uniform,
            )
        else:
            parts = self._at_shared_places(
                *(embed, features, targets, matches), uniform
            )
        losses = bce_and_dice(parts)
        sums = matches.sum_by_layer(losses, masks.num_layers)
        bce, dice = sums / avg_factor
        return self.mask_weight * bce, self.dice_weight * dice

    def _at_places(
        self,
        embed: Tensor,
        features: Tensor,
        targets: list[Targets],
        matches: Matches,
        given: Tensor | None,
        uniform: Tensor | None,
    ) -> Tensor:
        """:func:`bce_and_overlap` (4, M) at places of dense maps.

        They are given, (M, K, 2), or chosen from the image's ``uniform`` ones
        (B, P, 2), or drawn for each map.
        """

        def draw(
            maps: Tensor, image: int, rows: slice
        ) -> tuple[Tensor, Tensor]:
            if given is not None:
                return given[rows], sample_grid(maps, given[rows])
            shared = None if uniform is None else uniform[image : image + 1]
            return self.sampler.draw(maps, shared)

        size = features.shape[2:]
        # Rows of one target are best looked at together.
        repeats = [count for image in matches.repeats for count in image]
        chunks = MapChunks(
            *(matches.counts, size.numel(), features.device, self.chunk_size),
            multiple=max(repeats, default=1),
        )
        losses = PointLosses(targets, matches, size, draw, chunks.budget)
        return LossesOfMaps.apply(embed, features, chunks, losses)

    def _at_shared_places(
        self,
        embed: Tensor,
        features: Tensor,
        targets: list[Targets],
        matches: Matches,
        uniform: Tensor,
    ) -> Tensor:
        """The same at choices from one set of places for each image."""
        points = (uniform + 1) / 2
        columns = sample_features(features, points).transpose(1, 2)
        values = sample_masks(
            [target.masks for target in targets], points, self.chunk_size
        )
        chunks = MapChunks(
            *(matches.counts, points.shape[1], points.device, self.chunk_size)
        )
        losses = SharedPointLosses(
            values, matches, self.sampler.choose, self.sampler.num_candidates
        )
        return LossesOfMaps.apply(embed, columns, chunks, losses)
