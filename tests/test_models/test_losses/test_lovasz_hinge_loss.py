import torch

from mmseg_plugin.models.losses.lovasz_hinge_loss import lovasz_hinge_loss


def test_by_hand():
    # Hinge errors 2, 1.5, 0.5 for pixels of class 1, 0, 1. The Jaccard loss
    # of the one, two, three worst being wrong: 1/2, 2/3, 1.
    pred = torch.tensor([[[-1.0, 0.5, 0.5]]])
    target = torch.tensor([[[1.0, 0.0, 1.0]]])
    loss = lovasz_hinge_loss(pred, target)
    want = 2 * 1 / 2 + 1.5 * (2 / 3 - 1 / 2) + 0.5 * (1 - 2 / 3)
    torch.testing.assert_close(loss, torch.tensor([want]))


def test_is_one_minus_iou_for_logits_of_plus_minus_one():
    # A hinge error of 2 where wrong, 0 where right: twice 1 - IoU.
    target = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    pred = torch.tensor([[[1.0, 1.0, -1.0, 1.0]]])
    loss = lovasz_hinge_loss(pred, target)
    torch.testing.assert_close(loss, torch.tensor([2 * (1 - 2 / 4)]))


def test_empty_target_costs_its_worst_pixel():
    pred = torch.tensor([[[0.5, -3.0]]])
    loss = lovasz_hinge_loss(pred, torch.zeros(1, 1, 2))
    torch.testing.assert_close(loss, torch.tensor([1.5]))


def test_rois_are_independent():
    generator = torch.Generator().manual_seed(0)
    pred = torch.randn(3, 5, 5, generator=generator)
    target = (torch.rand(3, 5, 5, generator=generator) > 0.5).float()
    together = lovasz_hinge_loss(pred, target)
    alone = [
        lovasz_hinge_loss(pred[i : i + 1], target[i : i + 1]) for i in range(3)
    ]
    torch.testing.assert_close(together, torch.cat(alone))
