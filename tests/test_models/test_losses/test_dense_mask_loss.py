"""Dense losses against the published formulas."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.losses import DenseMaskLoss
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from tests.largest_tensor import LargestTensor


def make(counts, dtype=torch.float64):
    torch.manual_seed(0)
    masks = MaskLogits(
        torch.randn(2, len(counts), 5, 4, dtype=dtype).requires_grad_(),
        torch.randn(len(counts), 4, 3, 4, dtype=dtype).requires_grad_(),
    )
    targets = [
        Targets(
            torch.zeros(count, dtype=torch.long),
            (torch.rand(count, 12, 16) > 0.5).byte(),
        )
        for count in counts
    ]
    queries = [torch.randperm(5)[:count, None] for count in counts]
    return masks, targets, Matches.fixed(queries, 2)


@pytest.mark.parametrize('chunk_size', [1, 400, 2**24])
@pytest.mark.parametrize('alpha', [0.25, -1])
def test_losses_and_gradients(chunk_size, alpha):
    masks, targets, matches = make((3, 2))
    got = DenseMaskLoss(
        alpha, mask_weight=2, dice_weight=3, chunk_size=chunk_size
    )(masks, targets, matches, 2.5)
    maps = masks.dense()[matches.layer, matches.image, matches.query]
    x = F.interpolate(maps[:, None], (12, 16), mode='bilinear')[:, 0]
    t = torch.cat(
        [
            target.masks[index]
            for target, index in zip(
                targets, matches.target.split(matches.counts), strict=True
            )
        ]
    ).double()
    p = x.sigmoid()
    positive = t * (1 - p) ** 2 * -p.log()
    negative = (1 - t) * p**2 * -(1 - p).log()
    if alpha >= 0:
        positive, negative = alpha * positive, (1 - alpha) * negative
    focal = (positive + negative).mean((1, 2))
    dice = 1 - (2 * (p * t).sum((1, 2)) + 1) / (
        p.sum((1, 2)) + t.sum((1, 2)) + 1
    )
    want = [
        weight
        * torch.stack([loss[matches.layer == i].sum() for i in range(2)])
        / 2.5
        for weight, loss in ((2, focal), (3, dice))
    ]
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(
        torch.autograd.grad(sum(got).sum(), masks),
        torch.autograd.grad(sum(want).sum(), masks),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_one_pixel_by_hand():
    # Probability 3/4 on the object.
    masks = MaskLogits(
        torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), math.log(3))
    )
    targets = [Targets(torch.tensor([0]), torch.ones(1, 1, 1).bool())]
    focal, dice = DenseMaskLoss(mask_weight=1)(
        masks, targets, Matches.fixed([torch.tensor([[0]])], 1), 1
    )
    assert focal.item() == pytest.approx(0.25 / 16 * math.log(4 / 3))
    assert dice.item() == pytest.approx(1 - 2.5 / 2.75)


def test_no_targets_give_zeros_that_keep_the_graph():
    masks, targets, matches = make((0, 0))
    losses = DenseMaskLoss()(masks, targets, matches, 1.0)
    assert [loss.tolist() for loss in losses] == [[0, 0], [0, 0]]
    for grad in torch.autograd.grad(sum(losses).sum(), masks):
        assert not grad.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_leaves_the_losses_in_float32(dtype):
    masks, targets, matches = make((3, 2), torch.float32)
    want = DenseMaskLoss()(masks, targets, matches, 1.0)
    with torch.autocast('cpu', dtype=dtype):
        got = DenseMaskLoss()(masks, targets, matches, 1.0)
        torch.autograd.grad(sum(got).sum(), masks)
    for first, second in zip(got, want, strict=True):
        assert torch.equal(first, second)


def test_maps_exist_in_chunks_only():
    # 200 maps of 16 kB; the features take 64 kB, as does their gradient.
    masks = MaskLogits(
        torch.randn(2, 1, 100, 4).requires_grad_(),
        torch.randn(1, 4, 64, 64).requires_grad_(),
    )
    target = Targets(torch.zeros(100).long(), torch.ones(100, 64, 64).bool())
    matches = Matches.fixed([torch.arange(100)[:, None]], 2)
    with LargestTensor(*masks, target.masks) as largest:
        losses = DenseMaskLoss(chunk_size=2**14)(masks, [target], matches, 1.0)
        torch.autograd.grad(sum(losses).sum(), masks)
    assert largest.megabytes <= 2**16 / 2**20
