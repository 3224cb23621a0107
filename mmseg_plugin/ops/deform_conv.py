"""Deformable convolution ("Deformable ConvNets", arXiv 1703.06211)."""

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .deform_columns import (
    Columns,
    Geometry,
    convolve,
    samples_gradient,
    weight_gradient,
)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    group: int,
    deformable_group: int,
    im2col_step: int,
    **sizes: int,
) -> None:
    """Convolves, each place of the kernel shifted by its own offset.

    Args:
        input: (B, C, H, W).
        weight: (O, C / group, kh, kw).
        offset: (B, 2 * D * kh * kw, h, w), pairs (down, right) in pixels.
        output: written to, (B, O, h, w).
        columns: not used, here and below.
        ones: not used, here and below.
        group: of the convolution.
        deformable_group: D, groups of channels with offsets of their own.
        im2col_step: not used; memory is that of some rows.
        sizes: ``kH, kW, dH, dW, padH, padW, dilationH, dilationW``.
    """
    where = _geometry(**sizes)
    for image, shift, out in zip(input, offset, output, strict=True):
        seen = _columns(image, shift, where, deformable_group)
        convolve(seen, at_least_float32(weight), group, None, out)


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    *,
    group: int,
    deformable_group: int,
    im2col_step: int,
    **sizes: int,
) -> None:
    """Writes the gradients of ``input`` and ``offset``.

    Args as of :func:`deform_conv_forward`, and for each gradient the shape
    of what it belongs to.
    """
    where = _geometry(**sizes)
    kernel = at_least_float32(weight)
    for i in range(len(input)):
        seen = _columns(input[i], offset[i], where, deformable_group)
        table = torch.zeros_like(seen.table)
        for rows in seen.strips():
            grad = at_least_float32(grad_output[i, :, rows]).flatten(1)
            grad = samples_gradient(kernel, group, grad)
            more, shift, _ = seen.strip(rows).gradients(grad)
            table += more
            grad_offset[i, :, rows] = shift
        grad_input[i] = seen.as_image(table)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
    **sizes: int,
) -> None:
    """Adds ``scale`` times the gradient of the weight to ``grad_weight``.

    Args as of :func:`deform_conv_forward`.
    """
    where = _geometry(**sizes)
    total = at_least_float32(torch.zeros_like(grad_weight))
    for i in range(len(input)):
        seen = _columns(input[i], offset[i], where, deformable_group)
        for rows in seen.strips():
            grad = at_least_float32(grad_output[i, :, rows]).flatten(1)
            samples = seen.strip(rows).samples()
            total += weight_gradient(samples, total, group, grad)
    grad_weight.add_(total.to(grad_weight.dtype), alpha=scale)


def _columns(
    image: Tensor, shift: Tensor, where: Geometry, groups: int
) -> Columns:
    image, shift = at_least_float32(image), at_least_float32(shift)
    return Columns(image, shift, None, where, groups)


def _geometry(
    *,
    kH: int,
    kW: int,
    dH: int,
    dW: int,
    padH: int,
    padW: int,
    dilationH: int,
    dilationW: int,
) -> Geometry:
    return Geometry((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW))
