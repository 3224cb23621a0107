"""Deformable convolution v2 ("Deformable ConvNets v2", arXiv 1811.11168)."""

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


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    group: int,
    deformable_group: int,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Convolves samples at shifted places, each multiplied by its mask.

    Args:
        input: (B, C, H, W).
        weight: (O, C / group, kh, kw).
        bias: (O,), if ``with_bias``.
        ones: not used.
        offset: (B, 2 * D * kh * kw, h, w), pairs (down, right) in pixels.
        mask: (B, D * kh * kw, h, w).
        output: written to, (B, O, h, w).
        columns: not used; memory is that of some rows.
        group: of the convolution.
        deformable_group: D, groups of channels with offsets of their own.
        with_bias: whether to add ``bias``.
        sizes: ``kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w,
            dilation_h, dilation_w``.
    """
    where = _geometry(**sizes)
    kernel = at_least_float32(weight)
    for i, out in enumerate(output):
        seen = _columns(input[i], offset[i], mask[i], where, deformable_group)
        convolve(seen, kernel, group, bias if with_bias else None, out)


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    group: int,
    deformable_group: int,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Writes all gradients; those of weight and bias are added.

    Args as of :func:`modulated_deform_conv_forward`, and for each gradient
    the shape of what it belongs to.
    """
    where = _geometry(**sizes)
    kernel = at_least_float32(weight)
    total = torch.zeros_like(kernel)
    for i in range(len(input)):
        seen = _columns(input[i], offset[i], mask[i], where, deformable_group)
        table = torch.zeros_like(seen.table)
        for rows in seen.strips():
            strip = seen.strip(rows)
            grad = at_least_float32(grad_output[i, :, rows]).flatten(1)
            total += weight_gradient(strip.samples(), kernel, group, grad)
            more, shift, share = strip.gradients(
                samples_gradient(kernel, group, grad)
            )
            table += more
            grad_offset[i, :, rows] = shift
            grad_mask[i, :, rows] = share
        grad_input[i] = seen.as_image(table)
        if with_bias:
            grad = at_least_float32(grad_output[i])
            grad_bias.add_(grad.sum((1, 2)).to(grad_bias.dtype))
    grad_weight.add_(total.to(grad_weight.dtype))


def _columns(
    image: Tensor, shift: Tensor, mask: Tensor, where: Geometry, groups: int
) -> Columns:
    image, shift = at_least_float32(image), at_least_float32(shift)
    return Columns(image, shift, at_least_float32(mask), where, groups)


def _geometry(
    *,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
) -> Geometry:
    return Geometry(
        (kernel_h, kernel_w),
        (stride_h, stride_w),
        (pad_h, pad_w),
        (dilation_h, dilation_w),
    )
