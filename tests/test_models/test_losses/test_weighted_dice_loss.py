import pytest
import torch

from mmseg_plugin.models.losses import WeightedDiceLoss
from mmseg_plugin.models.losses.weighted_dice_loss import weighted_dice_loss


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
