"""--amp where no GPU is."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPERS, DefaultScope
from torch import nn

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.engine.amp import CPUAmpOptimWrapper

pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason='MMEngine has a wrapper for GPUs'
)


def wrapper(model, **options):
    config = {
        'type': 'AmpOptimWrapper',
        'optimizer': {'type': 'SGD', 'lr': 0.1},
        # As the tools of mmdet and mmseg set it.
        'loss_scale': 'dynamic',
        **options,
    }
    return build_optim_wrapper(model, config)


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])
def test_it_stands_in_for_mmengines(scope):
    with DefaultScope.overwrite_default_scope(scope):
        assert OPTIM_WRAPPERS.get('AmpOptimWrapper') is CPUAmpOptimWrapper


def test_a_step_in_bfloat16():
    model = nn.Linear(4, 2)
    before = model.weight.detach().clone()
    wrapped = wrapper(model)
    with wrapped.optim_context(model):
        out = model(torch.ones(1, 4))
    assert out.dtype == torch.bfloat16
    assert model(torch.ones(1, 4)).dtype == torch.float32
    wrapped.update_params(out.float().sum())
    torch.testing.assert_close(model.weight, before - 0.1)


def test_state_of_a_run_on_a_gpu():
    model = nn.Linear(4, 2)
    state = wrapper(model).state_dict() | {'loss_scaler': {'scale': 2.0}}
    wrapper(model).load_state_dict(state)


def test_half_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match='optim_wrapper.dtype .*bfloat16'):
        wrapper(nn.Linear(4, 2), dtype='float16')
