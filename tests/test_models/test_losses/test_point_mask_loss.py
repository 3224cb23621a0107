"""Point losses against dense maps, autograd and the published sampler."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.losses import PointMaskLoss
from mmseg_plugin.structures import MaskLogits, Matches, Targets, sample_maps
from tests.largest_tensor import LargestTensor

LAYERS = 2


def make(counts=(3, 2), per_target=1, dtype=torch.float64, size=(6, 7)):
    """Factors, targets and one match per target, layer and repeat."""
    torch.manual_seed(0)
    batch = len(counts)
    masks = MaskLogits(
        torch.randn(LAYERS, batch, 9, 4, dtype=dtype).requires_grad_(),
        torch.randn(batch, 4, *size, dtype=dtype).requires_grad_(),
    )
    targets = [
        Targets(
            torch.zeros(count, dtype=torch.long),
            torch.rand(count, 12, 14) > 0.5,
        )
        for count in counts
    ]
    queries = [
        torch.randperm(9)[: count * per_target].reshape(count, per_target)
        for count in counts
    ]
    return masks, targets, Matches.fixed(queries, LAYERS)


def plain_losses(masks, targets, matches, points, avg_factor):
    """The published formulas on dense maps, by autograd."""
    maps = masks.dense()[matches.layer, matches.image, matches.query]
    x = sample_maps(maps, points)
    wanted = torch.stack(
        [
            targets[image].masks[target]
            for image, target in zip(
                matches.image.tolist(), matches.target.tolist(), strict=True
            )
        ]
    )
    t = sample_maps(wanted.to(x.dtype), points)
    bce = F.binary_cross_entropy_with_logits(x, t, reduction='none').mean(1)
    prob = x.sigmoid()
    dice = 1 - (2 * (prob * t).sum(1) + 1) / (prob.sum(1) + t.sum(1) + 1)
    return [
        torch.stack([loss[matches.layer == i].sum() for i in range(LAYERS)])
        / avg_factor
        for loss in (bce, dice)
    ]


def grads(losses, masks):
    total = sum((i + 1.7) * v for i, v in enumerate(torch.cat(list(losses))))
    return torch.autograd.grad(total, masks)


@pytest.mark.parametrize('chunk_size', [1, 100, 2**20])
@pytest.mark.parametrize('per_target', [1, 2])
def test_losses_and_gradients_at_given_points(chunk_size, per_target):
    masks, targets, matches = make(per_target=per_target)
    points = torch.rand(len(matches.layer), 30, 2, dtype=torch.float64)
    loss = PointMaskLoss(mask_weight=2, dice_weight=3, chunk_size=chunk_size)
    got = loss(masks, targets, matches, 2.5, points)
    bce, dice = plain_losses(masks, targets, matches, points, 2.5)
    torch.testing.assert_close(got[0], 2 * bce)
    torch.testing.assert_close(got[1], 3 * dice)
    for ours, theirs in zip(
        grads(got, masks), grads((2 * bce, 3 * dice), masks), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_single_point_by_hand():
    # Logit ln 3 (probability 3/4) on a pixel of the object.
    masks = MaskLogits(
        torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), math.log(3))
    )
    targets = [Targets(torch.tensor([0]), torch.ones(1, 1, 1).bool())]
    matches = Matches.fixed([torch.tensor([[0]])], 1)
    points = torch.full((1, 1, 2), 0.5)
    bce, dice = PointMaskLoss(mask_weight=1, dice_weight=1)(
        masks, targets, matches, 1, points
    )
    assert bce.item() == pytest.approx(math.log(4 / 3))
    assert dice.item() == pytest.approx(1 - 2.5 / 2.75)


@pytest.mark.parametrize(('oversample', 'share'), [(0.5, 0.75), (3, 1.5)])
def test_more_uncertain_points_than_there_are_is_refused(oversample, share):
    with pytest.raises(ValueError, match='importance_sample_ratio'):
        PointMaskLoss(10, oversample, share)


@pytest.mark.parametrize('shared', [False, True])
@pytest.mark.parametrize('size', [(6, 7), (40, 50)])
def test_drawn_points_give_the_losses_at_those_points(
    shared, size, monkeypatch
):
    masks, targets, matches = make(size=size)
    loss = PointMaskLoss(
        20, mask_weight=1, dice_weight=1, shared_points=shared
    )
    drawn = []
    uniform_of = loss.sampler.uniform

    def spy(sets, like):
        drawn.append(uniform_of(sets, like))
        return drawn[-1]

    monkeypatch.setattr(loss.sampler, 'uniform', spy)
    got = loss(masks, targets, matches, 3.0)
    uniform = torch.cat(drawn)
    if shared:
        # One set of points for each image.
        assert len(uniform) == len(targets)
        uniform = uniform[matches.image]
    maps = masks.dense()[matches.layer, matches.image, matches.query]
    places, _ = loss.sampler.draw(maps.detach(), uniform)
    points = (places + 1) / 2
    want = plain_losses(masks, targets, matches, points, 3.0)
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs)
    for ours, theirs in zip(
        grads(got, masks), grads(want, masks), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('shared', [False, True])
@pytest.mark.parametrize('counts', [(0, 0), (0, 2)])
def test_images_without_targets(shared, counts):
    masks, targets, matches = make(counts)
    losses = PointMaskLoss(8, shared_points=shared)(
        masks, targets, matches, 1.0
    )
    for loss in losses:
        assert loss.shape == (LAYERS,)
        assert loss.isfinite().all()
        assert bool(loss.any()) == any(counts)
    for grad in grads(losses, masks):
        assert grad.isfinite().all()
        assert bool(grad.any()) == any(counts)


def test_unmatched_queries_have_no_gradient():
    masks, targets, matches = make()
    losses = PointMaskLoss(8)(masks, targets, matches, 1.0)
    grad = grads(losses, masks)[0]
    matched = torch.zeros(grad.shape[:3], dtype=torch.bool)
    matched[matches.layer, matches.image, matches.query] = True
    assert grad[matched].any(-1).all()
    assert not grad[~matched].any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('shared', [False, True])
def test_autocast_leaves_the_losses_in_float32(dtype, shared):
    masks, targets, matches = make(dtype=torch.float32)
    half = MaskLogits(*((part * 4).detach().to(dtype) for part in masks))
    half = MaskLogits(*(part.requires_grad_() for part in half))
    full = MaskLogits(*(part.float() for part in half))
    loss = PointMaskLoss(16, shared_points=shared)
    torch.manual_seed(1)
    with torch.autocast('cpu', dtype=dtype):
        got = loss(half, targets, matches, 1.0)
    torch.manual_seed(1)
    want = loss(full, targets, matches, 1.0)
    for first, second in zip(got, want, strict=True):
        assert first.dtype == torch.float32
        torch.testing.assert_close(first, second)
    assert all(g.isfinite().all() for g in grads(got, half))


@pytest.mark.parametrize('shared', [False, True])
def test_no_tensor_grows_with_the_number_of_queries_or_targets(shared):
    targets_at_1024 = torch.zeros(500, 1024, 1024, dtype=torch.bool)
    masks = MaskLogits(
        torch.randn(1, 1, 900, 4).requires_grad_(),
        torch.randn(1, 4, 256, 256).requires_grad_(),
    )
    target = Targets(torch.zeros(500, dtype=torch.long), targets_at_1024)
    # Ten of the targets are matched.
    matches = Matches(
        *torch.zeros(2, 10, dtype=torch.long),
        torch.arange(10),
        torch.arange(10) * 50,
        ((*([1] + [0] * 49) * 10,),),
    )
    loss = PointMaskLoss(1000, shared_points=shared, chunk_size=2**18)
    with LargestTensor(targets_at_1024) as largest:
        grads(loss(masks, [target], matches, 1.0), masks)
    # One mask of 1024 x 1024, where all queries' maps take 225 MB.
    assert largest.megabytes < 8
