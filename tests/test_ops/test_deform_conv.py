import pytest
import torch

from mmseg_plugin.ops import ext

from .conftest import gradients

SHAPES = [
    # C, O, kernel, stride, padding, dilation, groups, deform_groups
    (6, 4, (3, 3), 1, 1, 1, 1, 1),
    (6, 6, (3, 3), 2, 1, 1, 3, 1),
    (6, 4, (3, 3), 1, 2, 2, 2, 3),
    (4, 2, (1, 3), (2, 1), (0, 1), 1, 1, 2),
    (3, 5, (5, 2), (1, 2), (2, 1), (1, 2), 1, 3),
    (2, 2, (1, 1), 1, 0, 1, 2, 2),
]


def make(shape, *, size=(11, 9), batch=2, dtype=torch.float64, scale=2.0):
    """Input, offset, mask, weight and bias."""
    torch.manual_seed(0)
    channels, out, kernel, stride, padding, dilation, groups, deform = shape
    like = torch.nn.functional.conv2d(
        torch.zeros(1, channels, *size),
        torch.zeros(out, channels // groups, *kernel),
        *(None, stride, padding, dilation, groups),
    )
    places = deform * kernel[0] * kernel[1]
    tensors = [
        torch.randn(batch, channels, *size),
        scale * torch.randn(batch, 2 * places, *like.shape[2:]),
        torch.rand(batch, places, *like.shape[2:]),
        torch.randn(out, channels // groups, *kernel),
        torch.randn(out),
    ]
    return [tensor.to(dtype).requires_grad_() for tensor in tensors]


@pytest.mark.parametrize('scale', [2.0, 30.0, 0.0])
@pytest.mark.parametrize('shape', SHAPES)
def test_the_first_equals_the_compiled_one(same, shape, scale):
    """Offsets of zero put samples exactly on the border of the padding."""
    image, offset, _, weight, _ = make(shape, scale=scale)

    def call(part):
        out = part.deform_conv2d(image, offset, weight, *shape[3:])
        return gradients(out, image, offset, weight)

    same('deform_conv', call)


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('scale', [2.0, 30.0, 0.0])
@pytest.mark.parametrize('shape', SHAPES)
def test_the_second_equals_the_compiled_one(same, shape, scale, with_bias):
    image, offset, mask, weight, bias = make(shape, scale=scale)
    inputs = [image, offset, mask, weight] + [bias] * with_bias

    def call(part):
        out = part.modulated_deform_conv2d(
            *(image, offset, mask, weight),
            *(bias if with_bias else None, *shape[3:]),
        )
        return gradients(out, *inputs)

    same('modulated_deform_conv', call)


def test_derivatives(run_with):
    """Against differences, without any compiled operator."""
    tensors = make(SHAPES[2], size=(4, 5), batch=1)

    def call(part):
        def convolve(*tensors):
            return part.modulated_deform_conv2d(*tensors, *SHAPES[2][3:])

        return torch.autograd.gradcheck(convolve, tensors)

    assert run_with('modulated_deform_conv', ext, call)


def test_without_offsets_it_is_a_convolution(run_with):
    shape = SHAPES[1]
    image, offset, mask, weight, bias = make(shape, scale=0)

    def call(part):
        return part.modulated_deform_conv2d(
            *(image, offset, torch.ones_like(mask), weight, bias),
            *shape[3:],
        )

    plain = torch.nn.functional.conv2d(image, weight, bias, *shape[3:7])
    torch.testing.assert_close(
        run_with('modulated_deform_conv', ext, call), plain
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(run_with, dtype):
    tensors = [t.detach() for t in make(SHAPES[0], dtype=dtype)]
    tensors = [tensor.requires_grad_() for tensor in tensors]

    def call(part):
        out = part.modulated_deform_conv2d(*tensors, *SHAPES[0][3:])
        return gradients(out, *tensors)

    half = run_with('modulated_deform_conv', ext, call)
    tensors = [tensor.detach().double().requires_grad_() for tensor in tensors]
    whole = run_with('modulated_deform_conv', ext, call)
    for our, exact in zip(half, whole, strict=True):
        assert our.dtype == dtype
        atol = 0.03 * exact.abs().max().item()
        torch.testing.assert_close(our.double(), exact, rtol=0, atol=atol)
