"""mmcv's batch normalisation, which configs name MMSyncBN."""

import pytest
import torch

from mmseg_plugin.ops import ext

from .conftest import gradients


@pytest.mark.parametrize('stats_mode', ['default', 'N'])
@pytest.mark.parametrize('shape', [(3, 4, 5, 6), (0, 4, 5, 6), (1, 4, 1, 1)])
def test_one_process_is_plain_batch_normalisation(run_with, shape, stats_mode):
    torch.manual_seed(0)
    image = torch.randn(shape, requires_grad=True)
    theirs = torch.nn.BatchNorm2d(4, momentum=0.3)
    torch.nn.init.uniform_(theirs.weight)
    running = torch.zeros(4), torch.ones(4)

    def call(part):
        # The layer takes this path only where processes have been started.
        out = part.SyncBatchNormFunction.apply(
            *(image, *running, theirs.weight, theirs.bias),
            *(theirs.momentum, theirs.eps, None, 1, stats_mode),
        )
        return gradients(out, image, theirs.weight, theirs.bias)

    found = [*run_with('sync_bn', ext, call), *running]
    if shape != (3, 4, 5, 6):
        # torch refuses what has no variance.
        assert all(part.isfinite().all() for part in found)
        return
    out = theirs(image)
    want = gradients(out, image, theirs.weight, theirs.bias)
    want += [theirs.running_mean, theirs.running_var]
    for ours, exact in zip(found, want, strict=True):
        torch.testing.assert_close(ours, exact)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_normalised_in_float32(dtype):
    image = (torch.randn(2, 4, 30) * 100 + 1000).to(dtype)
    mean, var = torch.zeros(4), torch.zeros(4)
    ext.sync_bn_forward_mean(image, mean)
    ext.sync_bn_forward_var(image, mean, var)
    torch.testing.assert_close(mean, image.float().mean((0, 2)))
    exact = image.float().var((0, 2), correction=0)
    torch.testing.assert_close(var, exact)
    out, none = torch.empty_like(image), torch.empty(0)
    ext.sync_bn_forward_output(
        *(image, mean, var, none, none, none, none, none, none, out),
        **{'eps': 1e-5, 'momentum': 0.1, 'group_size': 1},
    )
    assert out.float().abs().max() < 10
