"""Match costs against hand-computed values and plain formulas."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.models.task_modules import (
    BoxGIoUCost,
    BoxL1Cost,
    FocalClassCost,
    MaskBCECost,
    MaskDiceCost,
    MaskFocalCost,
    SoftmaxClassCost,
)

LOG3 = math.log(3)


def test_softmax_class_cost_is_minus_the_probability():
    logits = torch.tensor([[LOG3, 0.0, 0.0]])
    cost = SoftmaxClassCost()(logits, torch.tensor([0, 1]))
    torch.testing.assert_close(cost, torch.tensor([[-0.6, -0.2]]))


def test_focal_class_cost():
    # Probability 3/4: positive .25 * (1/4)^2 * ln(4/3), negative
    # .75 * (3/4)^2 * ln 4.
    cost = FocalClassCost()(torch.tensor([[LOG3]]), torch.tensor([0]))
    want = 0.25 / 16 * math.log(4 / 3) - 0.75 * 9 / 16 * math.log(4)
    assert cost.item() == pytest.approx(want, rel=1e-5)


@pytest.fixture
def masks():
    torch.manual_seed(0)
    logits = torch.randn(4, 7, dtype=torch.float64) * 3
    values = torch.rand(3, 7, dtype=torch.float64)
    return logits, values


def test_mask_bce_cost_is_the_mean_of_every_pair(masks):
    logits, values = masks
    want = F.binary_cross_entropy_with_logits(
        logits[:, None].expand(4, 3, 7),
        values.expand(4, 3, 7),
        reduction='none',
    ).mean(-1)
    cost = MaskBCECost()(logits, values)
    torch.testing.assert_close(cost, want)


def test_mask_dice_cost_adds_one_on_both_sides():
    # Probability 1/2 at two places, the target covers one of them.
    cost = MaskDiceCost()(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    assert cost.item() == pytest.approx(1 - (2 * 0.5 + 1) / (1 + 1 + 1))


def test_mask_focal_cost(masks):
    logits, values = masks
    prob = logits.sigmoid()[:, None]
    want = -0.25 * values * (1 - prob) ** 2 * prob.log()
    want = want - 0.75 * (1 - values) * prob**2 * (1 - prob).log()
    cost = MaskFocalCost()(logits, values)
    torch.testing.assert_close(cost, want.mean(-1))


def boxes(*centres):
    """Small boxes side by side."""
    rows = [[x, 0.5, 0.1, 0.1] for x in centres]
    return torch.tensor(rows).reshape(-1, 4)


def test_a_box_of_stuff_costs_the_mean_of_things():
    # Class 2 is stuff, at 0.9; things are at 0.1 and 0.3.
    cost = BoxL1Cost(num_things=2)(
        boxes(0.1, 0.6), boxes(0.1, 0.9, 0.3), torch.tensor([0, 2, 1])
    )
    want = torch.tensor([[0, 0.25, 0.2], [0.5, 0.25, 0.3]])
    torch.testing.assert_close(cost, want)


@pytest.mark.parametrize('cost', [BoxL1Cost, BoxGIoUCost])
@pytest.mark.parametrize('labels', [[2, 3], []])
def test_a_box_of_stuff_costs_nothing_without_things(cost, labels):
    found = cost(num_things=2)(
        boxes(0.1, 0.6), boxes(*labels), torch.tensor(labels).long()
    )
    assert torch.equal(found, torch.zeros(2, len(labels)))


def test_every_box_counts_where_all_classes_are_things():
    cost = BoxL1Cost()(boxes(0.1), boxes(0.1, 0.9), torch.tensor([0, 2]))
    torch.testing.assert_close(cost, torch.tensor([[0, 0.8]]))
