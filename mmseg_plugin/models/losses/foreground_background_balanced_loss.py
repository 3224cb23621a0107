"""Foreground-background-balanced loss of EFPN."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmseg_plugin.registry import MODELS


def positive_patches(
    bboxes: Sequence[Tensor], size: Sequence[int], stride: float
) -> Tensor:
    """Marks the cells of a feature map that a box touches.

    Boxes are snapped outward to whole cells: columns floor(x1 / stride) to
    ceil(x2 / stride) - 1, likewise rows. Overlaps count once. What lies
    outside of the map is cut off.

    Args:
        bboxes: boxes (x1, y1, x2, y2) in pixels of each image, shape (N, 4).
        size: height and width of the map.
        stride: pixels of a cell.

    Returns:
        Shape (B, 1, height, width), bool.
    """
    masks = []
    for boxes in bboxes:
        low = (boxes[:, :2] / stride).floor()[..., None]
        high = (boxes[:, 2:] / stride).ceil()[..., None]
        cells = [
            torch.arange(length, device=boxes.device) for length in size[::-1]
        ]
        columns, rows = (
            ((low[:, axis] <= cell) & (cell < high[:, axis])).float()
            for axis, cell in enumerate(cells)
        )
        masks.append(rows.T @ columns > 0)
    return torch.stack(masks)[:, None]


def global_reconstruction_loss(pred: Tensor, target: Tensor) -> Tensor:
    """L_glob: mean of |target - pred| over all elements."""
    return (target - pred).abs().mean()


def positive_patch_loss(
    pred: Tensor, target: Tensor, patches: Tensor
) -> Tensor:
    """L_pos: mean of |target - pred| over the channels of positive cells.

    The published code divides zero by zero, NaN, if no cell is positive; here
    it is a zero that is part of the graph.

    Args:
        pred: shape (B, C, H, W).
        target: shape (B, C, H, W).
        patches: shape (B, 1, H, W), see :func:`positive_patches`.
    """
    distance = torch.where(patches, (target - pred).abs(), 0)
    num_positive = patches.sum() * pred.size(1)
    return distance.sum() / num_positive.clamp(min=1)


@MODELS.register_module()
class ForegroundBackgroundBalancedLoss(nn.Module):
    """L_fbb = L_glob + λ L_pos of EFPN, with L1 distances.

    The sum over positive cells is divided by their number in the batch times
    the channels, so that both terms have one scale; the paper divides by the
    number of cells only, which makes L_pos as many times larger as there are
    channels.

    Args:
        pos_weight: λ; the published code has 1.
        loss_weight: factor of both terms.
    """

    def __init__(self, pos_weight: float = 1.0, loss_weight: float = 1.0):
        super().__init__()
        self.pos_weight = pos_weight
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        bboxes: Sequence[Tensor],
        stride: float,
    ) -> dict[str, Tensor]:
        """Computes both terms, in float32.

        Args:
            pred: map of the student, shape (B, C, H, W).
            target: map of the teacher, shape (B, C, H, W).
            bboxes: boxes (x1, y1, x2, y2) of each image of the teacher,
                shape (N, 4), in its pixels.
            stride: of the target.

        Returns:
            ``loss_global`` and ``loss_positive``, scalars, both weighted.

        Raises:
            ValueError: the maps differ in shape.
        """
        if pred.shape != target.shape:
            raise ValueError(
                f'the maps have shapes {tuple(pred.shape)} and '
                f'{tuple(target.shape)}'
            )
        pred, target = pred.float(), target.float()
        patches = positive_patches(bboxes, pred.shape[-2:], stride)
        loss_positive = positive_patch_loss(pred, target, patches)
        return {
            'loss_global': self.loss_weight
            * global_reconstruction_loss(pred, target),
            'loss_positive': self.loss_weight
            * self.pos_weight
            * loss_positive,
        }
