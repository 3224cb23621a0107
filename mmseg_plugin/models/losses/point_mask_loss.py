"""Mask losses at importance-sampled points, as Mask2Former trains them."""

from torch import Tensor, nn

from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, Matches, Targets


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
        self.oversample_ratio = oversample_ratio
        self.importance_sample_ratio = importance_sample_ratio
        self.mask_weight = mask_weight
        self.dice_weight = dice_weight
        self.shared_points = shared_points
        self.chunk_size = chunk_size

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
            BCE and dice loss, (L,) each.
        """
        raise NotImplementedError
