"""torch.compile sees one graph, without any break."""

import pytest
import torch

from mmseg_plugin.ops import ext


def roi_align(part):
    rois = torch.tensor([[0, 1, 1, 9, 9.0], [0, 2, 2, 5, 8]])
    layer = part.RoIAlign(7, 1.0, 2)
    return lambda image: layer(image, rois)


def adaptive_roi_align(part):
    rois = torch.tensor([[0, 1, 1, 9, 9.0], [0, 2, 2, 5, 8]])
    layer = part.RoIAlign(7, 1.0, 0)
    return lambda image: layer(image, rois)


def deform_conv(part):
    return part.DeformConv2dPack(4, 4, 3, padding=1)


def modulated_deform_conv(part):
    return part.ModulatedDeformConv2dPack(4, 4, 3, padding=1)


@pytest.mark.parametrize(
    ('module', 'make'),
    [
        ('roi_align', roi_align),
        ('roi_align', adaptive_roi_align),
        ('deform_conv', deform_conv),
        ('modulated_deform_conv', modulated_deform_conv),
    ],
)
def test_one_graph_with_the_same_numbers(run_with, module, make):
    image = torch.randn(1, 4, 12, 12, requires_grad=True)

    def call(part):
        layer = make(part)
        compiled = torch.compile(layer, fullgraph=True, backend='aot_eager')
        found = []
        for function in (compiled, layer):
            out = function(image)
            found.append((out, *torch.autograd.grad(out.sum(), image)))
        return found

    torch._dynamo.reset()
    ours, theirs = run_with(module, ext, call)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their)
