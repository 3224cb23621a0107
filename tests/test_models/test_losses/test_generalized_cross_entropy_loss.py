from math import log

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.losses import GeneralizedCrossEntropyLoss
from mmseg_plugin.models.losses.generalized_cross_entropy_loss import (
    generalized_cross_entropy_loss,
)


def test_by_hand():
    # p_y = 1/4: (1 - sqrt(1/4)) / (1/2) = 1; p_y = 3/4 in the other pixel.
    pred = torch.full((1, 1, 2), log(1 / 3))
    target = torch.tensor([[[1.0, 0.0]]])
    loss = generalized_cross_entropy_loss(pred, target, q=0.5)
    want = (1 + 2 * (1 - 0.75**0.5)) / 2
    torch.testing.assert_close(loss, torch.tensor([want]))


def test_between_absolute_error_and_bce():
    generator = torch.Generator().manual_seed(0)
    pred = torch.randn(2, 4, 4, generator=generator)
    target = (torch.rand(2, 4, 4, generator=generator) > 0.5).float()
    absolute = (pred.sigmoid() - target).abs().mean()
    got = GeneralizedCrossEntropyLoss(q=1.0)(pred, target)
    torch.testing.assert_close(got, absolute)
    bce = F.binary_cross_entropy_with_logits(pred, target)
    got = GeneralizedCrossEntropyLoss(q=1e-4)(pred, target)
    torch.testing.assert_close(got, bce, rtol=1e-3, atol=0)


def test_contradicted_pixel_hardly_pulls():
    pred = torch.tensor([[[-1.0]], [[-10.0]]], requires_grad=True)
    GeneralizedCrossEntropyLoss()(pred, torch.ones(2, 1, 1)).backward()
    assert pred.grad[1].abs() < 0.01 * pred.grad[0].abs()


@pytest.mark.parametrize('q', [0, 1.1])
def test_bad_q(q):
    with pytest.raises(ValueError, match='q must be in'):
        GeneralizedCrossEntropyLoss(q=q)
