import torch
from mmdet.models.losses import DiceLoss

from mmseg_plugin.models.losses import SoftDiceLoss
from mmseg_plugin.models.losses.soft_dice_loss import soft_dice_loss


def test_by_hand():
    # Probabilities 1/2, 3/4, 1/4, 1/2 against two foreground pixels:
    # 1 - 2 * (1/2 + 3/4) / (2 + 2).
    pred = torch.tensor([[[1.0, 3.0], [1 / 3, 1.0]]]).log()
    target = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    loss = soft_dice_loss(pred, target, eps=0)
    torch.testing.assert_close(loss, torch.tensor([0.375]))


def test_eps_is_in_both_parts():
    pred = torch.zeros(1, 2, 2)
    loss = soft_dice_loss(pred, torch.zeros(1, 2, 2), eps=1.0)
    torch.testing.assert_close(loss, torch.tensor([1 - 1 / 3]))


def test_equals_naive_dice_of_mmdet():
    generator = torch.Generator().manual_seed(0)
    pred = torch.randn(3, 6, 6, generator=generator)
    target = (torch.rand(3, 6, 6, generator=generator) > 0.5).float()
    want = DiceLoss(naive_dice=True, eps=1e-6)(pred, target)
    torch.testing.assert_close(SoftDiceLoss()(pred, target), want)
