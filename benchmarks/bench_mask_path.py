"""Matching and losses from mask embeddings, against mmdet's and full masks."""

import torch
from harness import Arms, bench
from mask_path import Size, heads, make_inputs, mask_path, ours_step, unchecked
from peers.full_mask_loss import full_mask_losses
from precisions import FLOAT32
from torch import Tensor

from mmseg_plugin.models.criterions import target_count
from mmseg_plugin.models.losses import PointMaskLoss
from mmseg_plugin.structures import MaskLogits, Matches, QueryPredictions

for _targets in (20, 100):
    bench(f'mask_path_1024_g{_targets}', 'mmdet head', 8, precisions=FLOAT32)(
        lambda device, targets=_targets: mask_path(
            Size(targets=targets, device=device)
        )
    )


@bench('mask_path_shared_1024_g30', 'mmdet head', 12, precisions=FLOAT32)
def shared(device: torch.device) -> Arms:
    return mask_path(Size(targets=30, device=device), shared=True)


@bench('mask_path_1024_g30_memory', 'mmdet head', 4, unit='MB')
def memory() -> Arms:
    # That both agree is asserted where they are timed.
    size = Size(targets=30)
    return unchecked(*heads(size), make_inputs(size))


@bench('point_vs_dense_memory', 'loss on full masks', 3, unit='MB')
def point_vs_dense() -> Arms:
    assert_all_points_are_the_full_mask()
    head, _ = heads(Size())
    inputs = make_inputs(Size(image=512))

    def full() -> tuple[Tensor, ...]:
        logits, embed, features = inputs.factors
        masks = MaskLogits(embed, features)
        matches = head.criterion.assigner.assign(
            QueryPredictions(logits, masks), inputs.targets
        )
        shared = (inputs.targets, matches, 1.0)
        bce, dice = full_mask_losses(masks, *shared)
        total = head.criterion.loss_cls(logits, *shared) + 5 * (bce + dice)
        return torch.autograd.grad(total.sum(), inputs.factors)

    return Arms(lambda: ours_step(head, inputs), full)


def assert_all_points_are_the_full_mask() -> None:
    """At all pixels, our loss is that of full masks but for the border.

    There, sampling at points fades to zero and resizing repeats the edge.
    """
    inputs = make_inputs(Size(image=128, targets=4, layers=2))
    _, embed, features = inputs.factors
    masks = MaskLogits(embed, features)
    matches = Matches.fixed([torch.arange(4)[:, None]] * 2, num_layers=2)
    axis = (torch.arange(128) + 0.5) / 128
    rows, cols = torch.meshgrid(axis, axis, indexing='ij')
    points = torch.stack((cols, rows), -1).reshape(1, -1, 2).expand(16, -1, -1)
    loss = PointMaskLoss(mask_weight=1.0, dice_weight=1.0)
    count = target_count(inputs.targets, 100)
    ours = loss(masks, inputs.targets, matches, count, points)
    peer = full_mask_losses(masks, inputs.targets, matches, count)
    for mine, other in zip(ours, peer, strict=True):
        torch.testing.assert_close(mine, other, rtol=0.02, atol=0)
