"""What holds for every loss that gives one value per RoI."""

import pytest
import torch

from mmseg_plugin.models.losses.roi_mask_loss import RoIMaskLoss
from mmseg_plugin.registry import MODELS

# A new one needs no new test.
LOSSES = sorted(
    name
    for name, cls in MODELS.module_dict.items()
    # Functions can be registered too.
    if isinstance(cls, type) and issubclass(cls, RoIMaskLoss)
)
pytestmark = pytest.mark.parametrize('name', LOSSES)


def build(name, **kwargs):
    return MODELS.build({'type': f'mmseg_plugin.{name}', **kwargs})


@pytest.fixture
def masks():
    generator = torch.Generator().manual_seed(0)
    pred = torch.randn(4, 8, 8, generator=generator).requires_grad_()
    target = torch.zeros(4, 8, 8)
    target[0, 2:6, 1:5] = 1
    target[1, :, 4:] = 1
    target[2] = 1  # the fourth stays empty
    return pred, target


def test_reductions_agree(name, masks):
    pred, target = masks
    by_roi = build(name, reduction='none')(pred, target)
    assert by_roi.shape == (4,)
    assert (by_roi > 0).all()
    mean = build(name)(pred, target)
    torch.testing.assert_close(mean, by_roi.mean())
    total = build(name, reduction='sum', loss_weight=3.0)(pred, target)
    torch.testing.assert_close(total, 3 * by_roi.sum())
    overridden = build(name)(pred, target, reduction_override='sum')
    torch.testing.assert_close(overridden, by_roi.sum())


def test_weight_and_avg_factor(name, masks):
    pred, target = masks
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5])
    by_roi = build(name, reduction='none')(pred, target)
    got = build(name)(pred, target, weight=weight, avg_factor=10)
    torch.testing.assert_close(got, (by_roi * weight).sum() / 10)
    with pytest.raises(ValueError, match='avg_factor'):
        build(name, reduction='sum')(pred, target, avg_factor=10)


def test_weight_zero_has_no_gradient(name, masks):
    pred, target = masks
    weight = torch.tensor([1.0, 0.0, 1.0, 1.0])
    build(name)(pred, target, weight=weight).backward()
    assert pred.grad[1].count_nonzero() == 0
    assert pred.grad[0].count_nonzero() > 0


def test_better_prediction_costs_less(name, masks):
    _, target = masks
    target = target[:3]
    sign = 2 * target - 1
    loss = build(name, reduction='none')
    assert (loss(3 * sign, target) < loss(-3 * sign, target)).all()


def test_empty_input_keeps_the_graph(name):
    pred = torch.zeros(0, 8, 8, requires_grad=True)
    loss = build(name)(pred, torch.zeros(0, 8, 8))
    assert loss == 0
    loss.backward()
    assert pred.grad.shape == (0, 8, 8)
    none = build(name, reduction='none')(pred, torch.zeros(0, 8, 8))
    assert none.shape == (0,)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype, masks):
    _, target = masks
    pred = torch.full((4, 8, 8), 30.0)
    pred[:, ::2] = -30
    half = pred.to(dtype).requires_grad_()
    want = build(name)(pred, target)
    with torch.autocast('cpu', dtype=dtype):
        loss = build(name)(half, target.to(dtype))
    loss.backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, want)
    assert half.grad.isfinite().all()


def test_wrong_shape_is_named(name):
    with pytest.raises(ValueError, match=r'\(2, 5, 8, 8\).*\(2, 8, 8\)'):
        build(name)(torch.zeros(2, 5, 8, 8), torch.zeros(2, 8, 8))
