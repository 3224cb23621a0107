"""mmcv's operators on a CPU: ours in plain PyTorch against the compiled."""

import importlib
from collections.abc import Callable
from types import ModuleType

import torch
from bench_deformable_attention import make_inputs
from harness import Arms, bench
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)
from operators import COMPARABLE, compiled, operators
from torch import Tensor

from mmseg_plugin.ops import ext


def arms(module: str, call: Callable[[ModuleType], list[Tensor]]) -> Arms:
    """Both kinds of operators under the same Python code of mmcv.

    Args:
        module: of mmcv.ops.
        call: runs the operator with that module's code.
    """
    part = importlib.import_module(f'mmcv.ops.{module}')

    def run(found: object) -> list[Tensor]:
        with operators(found):
            return call(part)

    both = Arms(lambda: run(ext), lambda: run(compiled))
    for ours, peer in zip(both.ours(), both.peer(), strict=True):
        atol = 1e-4 * max(1, peer.abs().max().item())
        torch.testing.assert_close(ours, peer, rtol=0, atol=atol)
    return both


def make_boxes(count: int, size: int, longest: float) -> Tensor:
    """(count, 4) within a square, log-uniform sides from four pixels on."""
    torch.manual_seed(0)
    sides = 4 * (longest / 4) ** torch.rand(count, 2)
    start = torch.rand(count, 2) * (size - sides)
    return torch.cat([start, start + sides], 1)


def roi_align() -> Arms:
    """Half of Mask R-CNN's regions on P2 of an image of 512 x 512."""
    rois = torch.cat([torch.zeros(256, 1), make_boxes(256, 512, 112)], 1)
    maps = torch.randn(1, 256, 128, 128, requires_grad=True)

    def call(part: ModuleType) -> list[Tensor]:
        out = part.RoIAlign(7, 0.25, 0)(maps, rois)
        return [out, *torch.autograd.grad(out.sum(), maps)]

    return arms('roi_align', call)


def mask_targets() -> Arms:
    """Targets of the mask head: whole masks cut to 28 x 28."""
    boxes = make_boxes(64, 512, 400)
    rois = torch.cat([torch.arange(64.0)[:, None], boxes], 1)
    masks = (torch.rand(64, 1, 512, 512) > 0.5).float()

    def call(part: ModuleType) -> list[Tensor]:
        return [part.RoIAlign(28, 1.0, 0)(masks, rois)]

    return arms('roi_align', call)


def nms() -> Arms:
    """Proposals of all levels, each level by itself."""
    boxes = make_boxes(4000, 512, 300)
    scores, levels = torch.rand(4000), torch.randint(0, 5, (4000,))
    config = {'type': 'nms', 'iou_threshold': 0.7}

    def call(part: ModuleType) -> list[Tensor]:
        return list(part.batched_nms(boxes, scores, levels, config))

    return arms('nms', call)


def deform_conv() -> Arms:
    """A layer of Panoptic FCN's heads at stride 8 of 512 x 512."""
    torch.manual_seed(0)
    shapes = [(1, 64, 64, 64), (1, 18, 64, 64), (1, 9, 64, 64), (64, 64, 3, 3)]
    tensors = [torch.randn(shape).requires_grad_() for shape in shapes]

    def call(part: ModuleType) -> list[Tensor]:
        out = part.modulated_deform_conv2d(*tensors, None, 1, 1)
        return [out, *torch.autograd.grad(out.sum(), tensors)]

    return arms('modulated_deform_conv', call)


def ms_deform_attn() -> Arms:
    """An encoder's layer at 512 x 512.

    mmcv compiles it for GPUs alone; on a CPU its layer takes a fallback.
    """
    sizes, inputs, grad = make_inputs(512)
    shapes = torch.tensor(sizes)
    starts = shapes.prod(1).cumsum(0) - shapes.prod(1)
    value, *others = inputs

    def ours() -> list[Tensor]:
        with operators(ext):
            out = MultiScaleDeformableAttnFunction.apply(
                value, shapes, starts, *others, 64
            )
            return [out, *torch.autograd.grad(out, inputs, grad)]

    def peer() -> list[Tensor]:
        out = multi_scale_deformable_attn_pytorch(value, shapes, *others)
        return [out, *torch.autograd.grad(out, inputs, grad)]

    return Arms(ours, peer)


if COMPARABLE:
    for function, target in (
        (roi_align, 0.7),
        (mask_targets, 0.7),
        (nms, 0.5),
        (deform_conv, 0.5),
        (ms_deform_attn, 4),
    ):
        name = f'ops_{function.__name__}'
        bench(name, 'mmcv, compiled', target)(function)
        bench(f'{name}_memory', 'mmcv, compiled', 1 / 1.2, unit='MB')(function)
