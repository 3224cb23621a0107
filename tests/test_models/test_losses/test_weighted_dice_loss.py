import pytest
import torch

from mmseg_plugin.models.losses import WeightedDiceLoss
from mmseg_plugin.models.losses.weighted_dice_loss import weighted_dice_loss
from mmseg_plugin.structures import MaskLogits, Matches
from tests.largest_tensor import LargestTensor

DICE = WeightedDiceLoss()


def test_by_hand():
    pred = torch.tensor([0.0, 100.0]).view(1, 1, 1, 2)
    target = torch.tensor([[[1.0, 1.0]]])
    # overlap 0.5 + 1; |p^2| = 0.25 + 1; |y^2| = 2
    expected = 1 - 2 * 1.5 / 3.25
    assert weighted_dice_loss(pred, target).item() == pytest.approx(expected)


def test_several_predictions_share_a_target():
    torch.manual_seed(0)
    pred = torch.randn(3, 4, 5, 6)
    target = torch.rand(3, 5, 6)
    loss = weighted_dice_loss(pred, target)
    for k in range(4):
        alone = weighted_dice_loss(pred[:, k : k + 1], target)
        torch.testing.assert_close(loss[:, k : k + 1], alone)


def test_weights_and_avg_factor():
    pred = torch.full((1, 2, 1, 1), 100.0)
    target = torch.zeros(1, 1, 1)
    loss = WeightedDiceLoss(loss_weight=3.0)
    # Each prediction is completely wrong: a loss of 1.
    value = loss(pred, target, torch.tensor([[0.25, 0.75]]), 2)
    assert value.item() == pytest.approx(1.5)


def test_weights_have_gradients():
    weight = torch.tensor([[0.5, 0.5]], requires_grad=True)
    pred = torch.tensor([100.0, -100.0]).view(1, 2, 1, 1)
    WeightedDiceLoss(1.0)(pred, torch.ones(1, 1, 1), weight, 1).backward()
    assert weight.grad.tolist() == [[0, 1]]


def test_nothing_is_zero_and_keeps_the_graph():
    pred = torch.zeros(0, 2, 4, 4, requires_grad=True)
    loss = WeightedDiceLoss()(pred, torch.zeros(0, 4, 4), torch.ones(0, 2), 1)
    loss.backward()
    assert loss == 0
    assert pred.grad is not None


def test_empty_target_and_half_precision():
    pred = torch.full((1, 1, 2, 2), -100.0)
    loss = weighted_dice_loss(pred, torch.zeros(1, 2, 2))
    assert loss.isfinite().all()
    half = weighted_dice_loss(pred.half(), torch.zeros(1, 2, 2))
    assert half.dtype == torch.float32


def make(*counts, size=(3, 4)):
    """Two masks for each of ``counts`` targets of the images."""
    torch.manual_seed(0)
    masks = MaskLogits(
        torch.randn(len(counts), 100, 4).requires_grad_(),
        torch.randn(len(counts), 4, *size).requires_grad_(),
    )
    queries = [torch.arange(2 * n).view(n, 2) for n in counts]
    targets = torch.rand(sum(counts), *size)
    weights = torch.rand(sum(counts), 2)
    return masks, Matches.fixed(queries, 1), targets, weights


@pytest.mark.parametrize('chunk_size', [1, 50, 2**24])
@pytest.mark.parametrize('counts', [(3, 5), (0, 4), (0, 0)])
def test_chunks_change_nothing(counts, chunk_size):
    masks, matches, targets, weights = make(*counts)
    maps = masks.dense()[matches.image, matches.query]
    maps = maps.view(*weights.shape, *masks.size)
    want = DICE(maps, targets, weights, 2.5)
    got = DICE.in_chunks(masks, matches, targets, weights, 2.5, chunk_size)
    torch.testing.assert_close(got, want)
    for ours, theirs in zip(
        torch.autograd.grad(got, masks),
        torch.autograd.grad(want, masks),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_maps_exist_in_chunks_only():
    # 100 maps of 16 kB; the features take 64 kB, as does their gradient.
    masks, matches, targets, weights = make(50, size=(64, 64))
    with LargestTensor(*masks, targets) as largest:
        loss = DICE.in_chunks(masks, matches, targets, weights, 1.0, 2**14)
        torch.autograd.grad(loss, masks)
    assert largest.megabytes <= 2**16 / 2**20
