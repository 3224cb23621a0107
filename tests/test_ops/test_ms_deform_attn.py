import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import (
    multi_scale_deformable_attn_pytorch,
)

from mmseg_plugin.ops import ext, ms_deform_attn
from mmseg_plugin.utils import host

from .conftest import gradients

LEVELS = [
    [(5, 7)],
    [(6, 4), (3, 2), (1, 1)],
    [(8, 3), (2, 9)],
]


def make(sizes, dtype=torch.float64):
    """Values, locations (some outside) and weights; shapes and starts."""
    torch.manual_seed(0)
    count = sum(height * width for height, width in sizes)
    shape = (2, 6, 3, len(sizes), 4)
    tensors = [
        torch.randn(2, count, 3, 5),
        torch.rand(*shape, 2) * 1.6 - 0.3,
        torch.rand(shape),
    ]
    shapes = torch.tensor(sizes)
    starts = shapes.prod(1).cumsum(0) - shapes.prod(1)
    tensors = [tensor.to(dtype).requires_grad_() for tensor in tensors]
    return tensors, shapes, starts


@pytest.fixture(params=['at once', 'in blocks', 'elsewhere'])
def walk(request, monkeypatch):
    """How the points are walked over; elsewhere: as on a GPU."""
    if request.param == 'in blocks':
        # The last of 36 bags are fewer than the others.
        monkeypatch.setattr(ms_deform_attn, 'CPU_POINTS', 5 * 12)
    if request.param == 'elsewhere':
        monkeypatch.setattr(host, 'on_host', lambda tensor: False)


@pytest.mark.usefixtures('walk')
@pytest.mark.parametrize('sizes', LEVELS)
def test_equals_the_fallback_of_mmcv(run_with, sizes):
    (value, places, weights), shapes, starts = make(sizes)

    def call(part):
        out = part.MultiScaleDeformableAttnFunction.apply(
            value, shapes, starts, places, weights, 64
        )
        return gradients(out, value, places, weights)

    ours = run_with('multi_scale_deform_attn', ext, call)
    out = multi_scale_deformable_attn_pytorch(value, shapes, places, weights)
    theirs = gradients(out, value, places, weights)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    (value, places, weights), shapes, starts = make(LEVELS[1], dtype)
    found = ext.ms_deform_attn_forward(
        value, shapes, starts, places, weights, im2col_step=64
    )
    exact = ext.ms_deform_attn_forward(
        *(value.double(), shapes, starts),
        *(places.double(), weights.double()),
        im2col_step=64,
    )
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=0.1)
