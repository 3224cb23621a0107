"""Parity with the published implementations, one test per golden case.

On the CPU, or on the device that the variable GOLDEN_DEVICE names.
"""

import importlib
import os
import pkgutil

import pytest
import torch
from precisions import precision

import tests.golden as golden
from mmseg_plugin.utils import host
from tests.waits import Waits

for module in pkgutil.iter_modules(golden.__path__):
    importlib.import_module(f'tests.golden.{module.name}')

CASES = golden.collect_cases(golden.golden_dir())


@pytest.fixture
def device():
    """Where the cases run, without TensorFloat-32."""
    device = torch.device(os.environ.get('GOLDEN_DEVICE', 'cpu'))
    with precision('fp32', device):
        yield device


# One of each kind.
KINDS = {case.kind: case for case in CASES if case.kind in golden.RUNNERS}
# Of a host's tensor and a device's: copies, and places to read or write.
MIXED = ('aten.copy_', 'aten.index.Tensor', 'aten.index_put')


def _params() -> list:
    return [pytest.param(case, id=case.name) for case in CASES]


def _needs_runner(case: golden.Case) -> None:
    if case.kind not in golden.RUNNERS:
        pytest.xfail(f'kind {case.kind} has no runner yet: not implemented')


def test_golden_dir_holds_cases():
    if not CASES and 'GOLDEN_DIR' not in os.environ:
        pytest.skip(f'no golden cases in {golden.golden_dir()}')
    assert CASES, f'GOLDEN_DIR={golden.golden_dir()} holds no manifest*.json'


@pytest.mark.parametrize('case', _params())
def test_golden(case, device):
    _needs_runner(case)
    golden.check(case.on(device))


@pytest.mark.parametrize('case', _params())
def test_runner_sees_a_disturbed_value(case, device):
    _needs_runner(case)
    case = case.on(device)
    skips = golden.RUNNERS[case.kind].skips
    keys = [k for k in case.compared_keys() if case[k].size and not skips(k)]
    # The middle one: another key for each case, the same at every run.
    key = sorted(keys)[len(keys) // 2]
    with pytest.raises(AssertionError, match='differ'):
        golden.check(case.disturbed(key))


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_runner_would_work_on_a_device(kind, monkeypatch):
    monkeypatch.setattr(host, 'on_host', lambda tensor: False)
    case = KINDS[kind].on(torch.device('cpu'))
    assert case.arrays
    with Waits() as waits:
        golden.RUNNERS[kind].run(case)
    wrong = [
        seen
        for seen in waits.seen
        if seen.startswith(('numpy', '__array__'))
        or ('of host and device' in seen and not seen.startswith(MIXED))
    ]
    assert not wrong, wrong
