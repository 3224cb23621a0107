"""What Intra-Batch Supervision adds to Mask2Former's losses."""

import torch
from harness import Arms, bench
from mask_path import Inputs, Size, heads, make_inputs, ours_step
from peers.full_ibs_loss import full_ibs_loss

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
        head.loss_ibs = ibs
        return ours_step(head, inputs)

    def without() -> object:
        head.loss_ibs = None
        return ours_step(head, inputs)

    return Arms(with_ibs, without)


@bench('ibs_overhead', 'without IBS', 0.8)
def overhead() -> Arms:
    size = Size()
    assert_agreement(make_inputs(Size(image=256, targets=4, layers=3)))
    return with_and_without(size)


@bench('ibs_overhead_memory', 'without IBS', 0.8, unit='MB')
def memory() -> Arms:
    # That it is the published loss is asserted where it is timed.
    return with_and_without(Size())


def assert_agreement(inputs: Inputs) -> None:
    """Our loss is the published one on maps of all queries."""
    loss = IntraBatchLoss(range(80), loss_weight=100.0, num_points=None)
    _, embed, features = inputs.factors
    masks = MaskLogits(embed, features)
    layers = len(embed)
    matches = Matches.fixed([torch.arange(4)[:, None]] * 2, num_layers=layers)
    partners = torch.tensor([[1, 0]]).expand(layers, -1)
    ours = loss(masks, inputs.targets, matches, partners=partners)
    peer = full_ibs_loss(masks, matches, partners)
    torch.testing.assert_close(ours[1:], 100 * peer[1:], rtol=1e-4, atol=0)
    for mine, other in zip(
        torch.autograd.grad(ours[1:].sum(), inputs.factors[1:]),
        torch.autograd.grad(100 * peer[1:].sum(), inputs.factors[1:]),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-6)
