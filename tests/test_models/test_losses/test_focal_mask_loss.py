from math import log

import torch

from mmseg_plugin.models.losses.focal_mask_loss import focal_mask_loss


def test_by_hand():
    # p = 3/4: 0.25 * (1/4)^2 * -log(3/4) and 0.75 * (3/4)^2 * -log(1/4).
    pred = torch.full((1, 1, 2), log(3))
    target = torch.tensor([[[1.0, 0.0]]])
    want = (0.25 / 16 * -log(3 / 4) + 0.75 * 9 / 16 * log(4)) / 2
    loss = focal_mask_loss(pred, target)
    torch.testing.assert_close(loss, torch.tensor([want]))
