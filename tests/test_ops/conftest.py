import importlib
import sys

import pytest
import torch

from mmseg_plugin.ops import ext


@pytest.fixture
def compiled():
    """mmcv's compiled operators; without them the test is skipped."""
    found = importlib.import_module('mmcv._ext')
    if hasattr(found, 'PLAIN'):
        pytest.skip('mmcv has no compiled operators to compare with')
    return found


@pytest.fixture
def run_with(monkeypatch):
    """Runs mmcv's Python code of one operator with a module of operators."""

    def run(module, operators, call):
        importlib.import_module(f'mmcv.ops.{module}')
        part = sys.modules[f'mmcv.ops.{module}']
        with monkeypatch.context() as patch:
            patch.setattr(part, 'ext_module', operators)
            return call(part)

    return run


@pytest.fixture
def same(compiled, run_with):
    """Asserts that plain and compiled operators give the same tensors."""

    def same(module, call, atol=1e-5):
        theirs = run_with(module, compiled, call)
        ours = run_with(module, ext, call)
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            scale = max(1.0, their.abs().max().item() if len(their) else 0)
            torch.testing.assert_close(our, their, rtol=0, atol=atol * scale)

    return same


def gradients(output, *inputs):
    """The output, and gradients of a weighted sum of it."""
    weight = torch.linspace(-1, 2, output.numel()).view_as(output)
    loss = (output * weight.to(output)).sum()
    return [output.detach(), *torch.autograd.grad(loss, inputs)]
