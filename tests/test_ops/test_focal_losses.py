import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.ops import ext

from .conftest import gradients


def make(with_weight):
    """Logits, targets with some of no class, weights of the classes."""
    torch.manual_seed(0)
    logits = 3 * torch.randn(12, 4, dtype=torch.float64)
    weight = torch.rand(4, dtype=torch.float64) if with_weight else None
    return logits.requires_grad_(), torch.randint(0, 4, (12,)), weight


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
@pytest.mark.parametrize('with_weight', [True, False])
def test_sigmoid_is_the_formula_of_the_paper(run_with, with_weight, reduction):
    logits, target, weight = make(with_weight)
    if not with_weight:
        target[::3] = 4

    def call(part):
        loss = part.sigmoid_focal_loss(
            logits, target, 2.5, 0.3, weight, reduction
        )
        return gradients(loss, logits)

    there = F.one_hot(target, 5)[:, :4]
    p = logits.sigmoid()
    loss = -0.3 * (1 - p) ** 2.5 * p.log() * there
    loss = loss - 0.7 * p**2.5 * (1 - p).log() * (1 - there)
    if with_weight:
        loss = loss * weight[target][:, None]
    expected = gradients(reduce(loss, reduction), logits)
    found = run_with('focal_loss', ext, call)
    for our, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(our, exact)


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
@pytest.mark.parametrize('with_weight', [True, False])
def test_softmax_is_the_formula_of_the_paper(run_with, with_weight, reduction):
    logits, target, weight = make(with_weight)

    def call(part):
        loss = part.softmax_focal_loss(
            logits, target, 2.5, 0.3, weight, reduction
        )
        return gradients(loss, logits)

    p = logits.softmax(1).gather(1, target[:, None])[:, 0]
    loss = -0.3 * (1 - p) ** 2.5 * p.log()
    if with_weight:
        loss = loss * weight[target]
    expected = gradients(reduce(loss, reduction), logits)
    found = run_with('focal_loss', ext, call)
    for our, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(our, exact)


def test_rows_without_a_class_have_no_softmax_loss(run_with):
    logits, target, _ = make(False)
    target[:] = -1

    def call(part):
        loss = part.softmax_focal_loss(logits, target, 2.0, 0.25, None, 'sum')
        return gradients(loss, logits)

    for found in run_with('focal_loss', ext, call):
        assert not found.any()


def reduce(loss, reduction):
    """As mmcv does: the mean is over rows, not over classes."""
    if reduction == 'none':
        return loss
    return loss.sum() / (len(loss) if reduction == 'mean' else 1)
