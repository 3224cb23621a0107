"""The finder of waits finds them, and nothing else."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_plugin.utils.host import to_device, to_host
from tests.waits import Waits

DEVICE = torch.device('cpu')
X = torch.arange(6.0).view(2, 3)
MASK = X > 2


class Identity(torch.autograd.Function):
    """Waits in its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * float(grad.max())


def leaf():
    return X.clone().requires_grad_()


WAITING = {
    'item': lambda: X.sum().item(),
    'int': lambda: int(X[0, 0]),
    'float': lambda: float(X[0, 0]),
    'if': lambda: 1 if MASK.any() else 0,
    'list': lambda: X.tolist(),
    'numpy': lambda: X.numpy(),
    'cpu': lambda: X.cpu(),
    'nonzero': lambda: MASK.nonzero(),
    'places': lambda: torch.where(MASK),
    'get': lambda: X[MASK],
    'set': lambda: X.clone().__setitem__(MASK, torch.zeros(3)),
    'select': lambda: X.masked_select(MASK),
    'unique': lambda: X.unique(),
    'isin': lambda: torch.isin(X, X[0]),
    'bincount': lambda: X.long().flatten().bincount(),
    'repeats': lambda: X[0].repeat_interleave(X[1].long()),
    'one hot': lambda: F.one_hot(X.long()),
    'tensor': lambda: torch.tensor([1.0], device=DEVICE),
    'new tensor': lambda: X.new_tensor([1.0]),
    'as tensor': lambda: torch.as_tensor([1.0], device=DEVICE),
    'pageable': lambda: torch.arange(3).to(DEVICE),
    'pageable type': lambda: torch.arange(3).to(X),
    'index of the host': lambda: X[:, torch.arange(2)],
    'gradient': lambda: Identity.apply(leaf()).sum().backward(),
    'gradient of a product': lambda: leaf().prod(1),
}
FREE = {
    'fill': lambda: X.clone().__setitem__(MASK, 0.0),
    'masked fill': lambda: X.masked_fill(MASK, 0),
    'slice': lambda: X[:, 1:],
    'index': lambda: X[:, torch.arange(2, device=DEVICE)],
    'choice': lambda: torch.where(MASK, X, 0),
    'one hot': lambda: F.one_hot(X.long(), 6),
    'type': lambda: X.to(torch.float64),
    'of the host': lambda: torch.arange(3).sum().item(),
    'from data': lambda: torch.tensor([1, 2]).nonzero().tolist(),
    'counted': lambda: to_host(X, 'test').unique().tolist(),
    'pinned': lambda: X + to_device(torch.tensor([1, 2, 3]), DEVICE),
    'pinned array': lambda: (
        X + to_device(torch.from_numpy(np.arange(3)), DEVICE)
    ),
}


@pytest.mark.parametrize('name', WAITING)
def test_waits_are_seen(name):
    with Waits() as waits:
        WAITING[name]()
    assert waits.seen


@pytest.mark.parametrize('name', FREE)
def test_what_does_not_wait_is_not(name):
    with Waits() as waits:
        FREE[name]()
    assert waits.seen == []


def test_modes_end_with_the_context():
    with Waits() as waits:
        pass
    X.tolist()
    assert waits.seen == []
