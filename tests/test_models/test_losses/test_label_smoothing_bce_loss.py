from math import log

import pytest
import torch

from mmseg_plugin.models.losses import LabelSmoothingBCELoss
from mmseg_plugin.models.losses.label_smoothing_bce_loss import (
    label_smoothing_bce_loss,
)


def test_by_hand():
    # p = 3/4 for both pixels, smoothed targets 0.9 and 0.1.
    pred = torch.full((1, 1, 2), log(3))
    target = torch.tensor([[[1.0, 0.0]]])
    want = -(log(3 / 4) + log(1 / 4)) / 2
    loss = label_smoothing_bce_loss(pred, target, smoothing=0.2)
    torch.testing.assert_close(loss, torch.tensor([want]))
    first = label_smoothing_bce_loss(pred[..., :1], target[..., :1], 0.2)
    want = -(0.9 * log(3 / 4) + 0.1 * log(1 / 4))
    torch.testing.assert_close(first, torch.tensor([want]))


def test_lowest_value_is_at_a_finite_logit():
    pred = torch.full((1, 1, 1), log(0.975 / 0.025), requires_grad=True)
    loss = LabelSmoothingBCELoss()(pred, torch.ones(1, 1, 1))
    loss.backward()
    torch.testing.assert_close(loss.item(), 0.11690, rtol=0, atol=1e-5)
    assert pred.grad.abs() < 1e-6


def test_bad_smoothing():
    with pytest.raises(ValueError, match='smoothing must be in'):
        LabelSmoothingBCELoss(smoothing=1.5)
