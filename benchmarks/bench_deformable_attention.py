"""Deformable attention on a CPU, against mmcv's fallback for it."""

import torch
from harness import Arms, bench
from mmcv.ops.multi_scale_deform_attn import (
    multi_scale_deformable_attn_pytorch,
)
from torch import Tensor

from mmseg_plugin.models.layers.deformable_attention import (
    deformable_attention,
)

HEADS, CHANNELS, POINTS = 8, 32, 4


def make_inputs(image: int) -> tuple[list, list[Tensor], Tensor]:
    """Level sizes; value, locations and weights; gradient of the output.

    Every pixel looks at points some pixels away, as in an encoder, none of
    them at a pixel's centre, where the gradient of the location jumps.
    """
    torch.manual_seed(0)
    sizes = [(image // stride, image // stride) for stride in (32, 16, 8)]
    num_pixels = sum(height * width for height, width in sizes)
    scale = torch.tensor(sizes)[:, None]
    centre = torch.rand(1, num_pixels, 1, 1, 1, 2)
    shape = (1, num_pixels, HEADS, len(sizes), POINTS)
    pixel = (centre * scale + 2 * torch.randn(*shape, 2)).floor()
    inputs = [
        torch.randn(1, num_pixels, HEADS, CHANNELS),
        (pixel + 0.6 + 0.8 * torch.rand(*shape, 2)) / scale,
        torch.randn(shape).flatten(3).softmax(-1).view(shape),
    ]
    for tensor in inputs:
        tensor.requires_grad_()
    return sizes, inputs, torch.randn(1, num_pixels, HEADS * CHANNELS)


def arms(image: int, backward: bool) -> Arms:
    sizes, inputs, grad = make_inputs(image)

    def outputs(function) -> list[Tensor]:
        with torch.set_grad_enabled(backward):
            out = function(inputs[0], sizes, *inputs[1:])
        if not backward:
            return [out]
        return [out, *torch.autograd.grad(out, inputs, grad)]

    both = Arms(
        lambda: outputs(deformable_attention),
        lambda: outputs(multi_scale_deformable_attn_pytorch),
    )
    for ours, peer in zip(both.ours(), both.peer(), strict=True):
        atol = 1e-5 * peer.abs().max().item()
        torch.testing.assert_close(ours, peer, rtol=0, atol=atol)
    return both


bench('msda_cpu', 'mmcv fallback', 2)(lambda: arms(512, True))
bench('msda_cpu_1024', 'mmcv fallback', 2)(lambda: arms(1024, True))
bench('msda_cpu_forward', 'mmcv fallback', 2)(lambda: arms(512, False))
bench('msda_cpu_memory', 'mmcv fallback', 1, unit='MB')(
    lambda: arms(512, True)
)
