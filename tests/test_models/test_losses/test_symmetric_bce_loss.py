from math import log

import pytest
import torch

from mmseg_plugin.models.losses import SymmetricBCELoss
from mmseg_plugin.models.losses.symmetric_bce_loss import symmetric_bce_loss


def test_by_hand():
    # p = 1/4 against 1: BCE log 4, reverse 4 * 3/4.
    pred = torch.full((1, 1, 1), log(1 / 3))
    loss = symmetric_bce_loss(pred, torch.ones(1, 1, 1), alpha=0.5, beta=2.0)
    torch.testing.assert_close(loss, torch.tensor([0.5 * log(4) + 2 * 3]))
    loss = symmetric_bce_loss(pred, torch.zeros(1, 1, 1), alpha=0.0)
    torch.testing.assert_close(loss, torch.tensor([4 * 0.25]))


def test_soft_target_by_hand():
    # p = 1/2 against 1/2: both terms are log 2.
    pred = torch.zeros(1, 1, 1)
    loss = symmetric_bce_loss(pred, torch.full((1, 1, 1), 0.5))
    torch.testing.assert_close(loss, torch.tensor([1.1 * log(2)]))


def test_bad_log_zero():
    with pytest.raises(ValueError, match='log_zero must be below 0'):
        SymmetricBCELoss(log_zero=0)
