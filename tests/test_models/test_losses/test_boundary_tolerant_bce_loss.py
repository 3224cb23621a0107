import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.losses import BoundaryTolerantBCELoss
from mmseg_plugin.models.losses.boundary_tolerant_bce_loss import (
    boundary_tolerant_bce_loss,
)


@pytest.fixture
def half():
    target = torch.zeros(1, 4, 8)
    target[..., 4:] = 1
    return target


@pytest.mark.parametrize(('band', 'ignored'), [(1, [3, 4]), (2, [2, 3, 4, 5])])
def test_band_on_both_sides_has_no_gradient(half, band, ignored):
    pred = torch.zeros_like(half, requires_grad=True)
    loss = boundary_tolerant_bce_loss(pred, half, band)
    torch.testing.assert_close(loss, torch.tensor([0.6931472]))
    loss.sum().backward()
    columns = pred.grad[0].abs().sum(0)
    assert (columns == 0).nonzero().flatten().tolist() == ignored


def test_a_mistake_in_the_band_is_free(half):
    right = 10 * (2 * half - 1)
    moved = right.roll(1, dims=2)
    moved[..., 0] = -10
    loss = BoundaryTolerantBCELoss(band=1)
    torch.testing.assert_close(loss(moved, half), loss(right, half))
    assert loss(right.roll(2, dims=2), half) > 1


def test_no_outline_and_no_band_are_plain_bce(half):
    pred = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0))
    for target, band in [(torch.zeros_like(half), 3), (half, 0)]:
        want = F.binary_cross_entropy_with_logits(pred, target)
        got = BoundaryTolerantBCELoss(band)(pred, target)
        torch.testing.assert_close(got, want)


def test_all_ignored_is_zero(half):
    pred = torch.ones_like(half, requires_grad=True)
    loss = BoundaryTolerantBCELoss(band=4)(pred, half)
    loss.backward()
    assert loss == 0
    assert pred.grad.count_nonzero() == 0


def test_bad_band():
    with pytest.raises(ValueError, match='band must be at least 0'):
        BoundaryTolerantBCELoss(band=-1)
