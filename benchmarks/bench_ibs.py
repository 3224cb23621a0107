"""What Intra-Batch Supervision adds to Mask2Former's losses."""

import torch
from harness import Arms, bench
from mask_path import Size, heads, make_inputs, ours_step
from peers.full_ibs_loss import full_ibs_loss
from precisions import FLOAT32
from torch import Tensor

from mmseg_plugin.models.losses import IntraBatchLoss
from mmseg_plugin.structures import MaskLogits, Matches

# Of 20 targets about 13, as in COCO's panoptic images.
THINGS = range(52)


def with_and_without(size: Size) -> Arms:
    """Matching, losses and gradients."""
    head, _ = heads(size)
    ibs = IntraBatchLoss(THINGS, loss_weight=100.0)
    inputs = make_inputs(size)

    def with_ibs() -> object:
        head.criterion.loss_ibs = ibs
        return ours_step(head, inputs)

    def without() -> object:
        head.criterion.loss_ibs = None
        return ours_step(head, inputs)

    return Arms(with_ibs, without)


@bench('ibs_overhead', 'without IBS', 0.8, precisions=FLOAT32)
def overhead(device: torch.device) -> Arms:
    assert_agreement(device)
    return with_and_without(Size(device=device))


@bench('ibs_overhead_memory', 'without IBS', 0.8, unit='MB')
def memory() -> Arms:
    # That it is the published loss is asserted where it is timed.
    return with_and_without(Size())


def against_all_queries(size: Size) -> Arms:
    """The loss on all pixels and its gradients, ours and as published."""
    inputs = make_inputs(size)
    _, *factors = inputs.factors
    masks = MaskLogits(*factors)
    layers = len(masks.embed)
    loss = IntraBatchLoss(range(80), num_points=None, first_layer=0)
    queries = torch.arange(size.targets, device=size.device)[:, None]
    matches = Matches.fixed([queries] * size.images, num_layers=layers)
    partners = torch.tensor([[1, 0]]).expand(layers, -1)

    def ours() -> tuple[Tensor, ...]:
        total = loss(masks, inputs.targets, matches, partners=partners).sum()
        return total, *torch.autograd.grad(total, factors)

    def peer() -> tuple[Tensor, ...]:
        total = full_ibs_loss(masks, matches, partners).sum()
        return total, *torch.autograd.grad(total, factors)

    return Arms(ours, peer)


def assert_agreement(device: torch.device) -> None:
    """Our loss and gradients are the published ones."""
    arms = against_all_queries(
        Size(image=256, targets=4, layers=3, device=device)
    )
    for mine, other in zip(arms.ours(), arms.peer(), strict=True):
        atol = 1e-4 * other.abs().max().item()
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=atol)


@bench('ibs_loss', 'maps of all queries', 2, precisions=FLOAT32)
def loss_speed(device: torch.device) -> Arms:
    assert_agreement(device)
    return against_all_queries(Size(device=device))


@bench('ibs_loss_memory', 'maps of all queries', 3, unit='MB')
def loss_memory() -> Arms:
    # That both agree is asserted where they are timed.
    return against_all_queries(Size())
