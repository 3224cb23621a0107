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

for module in pkgutil.iter_modules(golden.__path__):
    importlib.import_module(f'tests.golden.{module.name}')

CASES = golden.collect_cases(golden.golden_dir())


@pytest.fixture
def device():
    """Where the cases run, without TensorFloat-32."""
    device = torch.device(os.environ.get('GOLDEN_DEVICE', 'cpu'))
    with precision('fp32', device):
        yield device


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
