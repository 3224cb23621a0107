"""Hand-computed values of EFPN's loss."""

import pytest
import torch

from mmseg_plugin.models.losses import ForegroundBackgroundBalancedLoss
from mmseg_plugin.models.losses.foreground_background_balanced_loss import (
    positive_patches,
)


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ('box', 'rows', 'columns'),
    [
        ((4, 8, 12, 16), range(2, 4), range(1, 3)),
        ((5, 5, 6, 6), range(1, 2), range(1, 2)),
        ((3.9, 8.1, 12.1, 15.9), range(2, 4), range(0, 4)),
        ((-9, -9, 5, 3), range(0, 1), range(0, 2)),
        ((10, 10, 99, 99), range(2, 5), range(2, 6)),
        ((8, 4, 8, 12), (), ()),
        ((30, 30, 40, 40), (), ()),
    ],
    ids=['exact', 'tiny', 'outward', 'left', 'right', 'no area', 'outside'],
)
def test_boxes_snap_outward(box, rows, columns):
    want = torch.zeros(5, 6, dtype=torch.bool)
    for row in rows:
        for column in columns:
            want[row, column] = True
    got = positive_patches([boxes(box)], (5, 6), 4)
    assert torch.equal(got, want[None, None])


def test_patches_stay_in_their_image():
    got = positive_patches([boxes(), boxes((0, 0, 4, 4))], (1, 2), 4)
    assert got.flatten(1).tolist() == [[False, False], [True, False]]


def losses(pred, bboxes, **kwargs):
    module = ForegroundBackgroundBalancedLoss(**kwargs)
    return module(pred, torch.zeros_like(pred), bboxes, stride=4)


def test_overlaps_count_once_and_channels_are_averaged():
    pred = torch.zeros(1, 2, 2, 2)
    pred[0, 0] = torch.tensor([[1.0, -2], [3, 4]])
    bboxes = [boxes((0, 0, 8, 4), (0, 0, 4, 8))]
    got = losses(pred, bboxes)
    assert got['loss_global'].item() == pytest.approx(10 / 8)
    assert got['loss_positive'].item() == pytest.approx(6 / (3 * 2))


def test_weights():
    pred = torch.ones(1, 1, 2, 2)
    got = losses(pred, [boxes((0, 0, 4, 4))], pos_weight=3, loss_weight=0.5)
    assert got['loss_global'].item() == pytest.approx(0.5)
    assert got['loss_positive'].item() == pytest.approx(1.5)


@pytest.mark.parametrize('bboxes', [boxes(), boxes((4, 0, 4, 8))])
def test_no_positive_cell_is_zero_in_the_graph(bboxes):
    pred = torch.ones(1, 1, 2, 2, requires_grad=True)
    got = losses(pred, [bboxes])['loss_positive']
    assert got == 0
    got.backward()
    assert pred.grad.tolist() == torch.zeros(1, 1, 2, 2).tolist()


def test_gradient():
    pred = torch.ones(1, 1, 1, 2, requires_grad=True)
    sum(losses(pred, [boxes((0, 0, 4, 4))]).values()).backward()
    assert pred.grad.flatten().tolist() == [1.5, 0.5]


def test_half_precision_does_not_overflow():
    pred = torch.full((1, 64, 64, 64), 60.0, dtype=torch.half)
    got = losses(pred, [boxes((0, 0, 256, 256))])
    assert got['loss_positive'].dtype == torch.float32
    assert got['loss_positive'].item() == pytest.approx(60)


def test_nan_of_a_prediction_outside_of_the_patches_is_not_positive():
    pred = torch.tensor([[[[1.0, float('nan')]]]])
    got = losses(pred, [boxes((0, 0, 4, 4))])
    assert got['loss_global'].isnan()
    assert got['loss_positive'] == 1


def test_shapes_that_differ_are_named():
    module = ForegroundBackgroundBalancedLoss()
    small, large = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r'\(1, 1, 2, 2\) and \(1, 1, 4, 4\)'):
        module(small, large, [boxes()], 4)
