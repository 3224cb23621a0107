import pytest
import torch

from mmseg_plugin.engine.hooks import MatmulPrecisionHook


def test_it_sets_the_precision_of_the_process():
    before = torch.get_float32_matmul_precision()
    try:
        MatmulPrecisionHook('high').before_run(None)
        assert torch.get_float32_matmul_precision() == 'high'
        MatmulPrecisionHook('highest').before_run(None)
        assert torch.get_float32_matmul_precision() == 'highest'
    finally:
        torch.set_float32_matmul_precision(before)


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match='precision is .tf32.'):
        MatmulPrecisionHook('tf32')
