import pytest
import torch

from mmseg_plugin.structures import boxes_of, generalized_iou

BOX = [0.5, 0.5, 0.2, 0.4]


def test_boxes_of():
    masks = torch.zeros(3, 4, 5, dtype=torch.bool)
    masks[0, 1:3, 2:4] = True
    masks[2] = True
    boxes, filled = boxes_of(masks)
    assert boxes.tolist() == [[2, 1, 4, 3], [0, 0, 0, 0], [0, 0, 5, 4]]
    assert filled.tolist() == [True, False, True]


@pytest.mark.parametrize('shape', [(0, 4, 5), (2, 0, 0)])
def test_boxes_of_nothing(shape):
    boxes, filled = boxes_of(torch.zeros(shape, dtype=torch.bool))
    assert boxes.shape == (shape[0], 4)
    assert not filled.any()


@pytest.mark.parametrize(
    ('first', 'second', 'value'),
    [
        (BOX, BOX, 1.0),
        # IoU 1/3, hull equal to the union.
        (BOX, [0.6, 0.5, 0.2, 0.4], 1 / 3),
        # Apart by one width: a third of the hull is empty.
        (BOX, [0.9, 0.5, 0.2, 0.4], -1 / 3),
        # Two points in different places.
        ([0.2, 0.2, 0, 0], [0.8, 0.8, 0, 0], -1.0),
    ],
)
def test_generalized_iou(first, second, value):
    got = generalized_iou(torch.tensor(first), torch.tensor(second))
    assert got.item() == pytest.approx(value, abs=2e-5)
    swapped = generalized_iou(torch.tensor(second), torch.tensor(first))
    assert swapped.item() == pytest.approx(value, abs=2e-5)


def test_both_denominators_of_generalized_iou_are_larger_by_1e_6():
    """Apart by one width; areas of 1e-6, a hull of 3e-6."""
    side = [1e-3, 1e-3]
    first, second = ([0.5, 0.5, *side], [0.502, 0.5, *side])
    got = generalized_iou(
        torch.tensor(first, dtype=torch.float64),
        torch.tensor(second, dtype=torch.float64),
    )
    assert got.item() == pytest.approx(-1 / 4, abs=1e-9)
