"""The focal loss of maps against mmdet's, by autograd."""

import pytest
import torch
from mmdet.models.losses import FocalLoss

from mmseg_plugin.models.losses import MapFocalLoss
from mmseg_plugin.models.losses.map_focal_loss import CACHED


@pytest.mark.parametrize('gamma', [0.0, 0.5, 1.0, 2.0])
def test_loss_and_gradient_are_mmdets(gamma):
    torch.manual_seed(0)
    # More than one chunk, transposed in memory; soft and hard targets.
    pred = (8 * torch.randn(3, CACHED // 4, 2, dtype=torch.float64)).mT
    target = torch.rand_like(pred)
    target = target.where(target < 0.3, (target > 0.9).double())
    found = []
    for kind in (MapFocalLoss, FocalLoss):
        leaf = pred.clone().requires_grad_()
        loss = kind(gamma=gamma, alpha=0.3, loss_weight=2.0)(
            leaf, target, avg_factor=7.0
        )
        found.append((loss, *torch.autograd.grad(3 * loss, leaf)))
    # mmdet adds the epsilon of float32 to the factor.
    torch.testing.assert_close(*found, rtol=1e-7, atol=1e-10)


def test_far_predictions_are_finite_and_keep_their_digits():
    logits = torch.tensor([-200.0, -20.0, 20.0, 200.0]).repeat(2)
    target = torch.tensor([0.0, 1.0]).repeat_interleave(4)
    pred = logits.requires_grad_()
    loss = MapFocalLoss(gamma=0.5)(pred, target, avg_factor=1.0)
    (grad,) = torch.autograd.grad(loss, pred)
    exact = pred.detach().double().requires_grad_()
    want = MapFocalLoss(gamma=0.5)(exact, target.double(), 1.0)
    torch.testing.assert_close(loss.double(), want, rtol=1e-6, atol=0)
    assert grad.isfinite().all()


def test_nothing_is_zero_and_half_precision_is_float():
    pred = torch.zeros(0, 3, dtype=torch.half, requires_grad=True)
    loss = MapFocalLoss()(pred, torch.zeros(0, 3), avg_factor=1)
    loss.backward()
    assert loss == 0
    assert loss.dtype == torch.float32
    assert pred.grad is not None
