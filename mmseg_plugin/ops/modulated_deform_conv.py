"""Deformable convolution v2 ("Deformable ConvNets v2", arXiv 1811.11168)."""

from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .deform_columns import (
    Columns,
    Geometry,
    apply_kernel,
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
        columns: not used; the memory is that of one image.
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
        found = apply_kernel(seen.samples(), kernel, group)
        if with_bias:
            found = found + bias[:, None]
        out.copy_(found.view(out.shape))


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
    for i in range(len(input)):
        seen = _columns(input[i], offset[i], mask[i], where, deformable_group)
        grad = at_least_float32(grad_output[i]).flatten(1)
        if with_bias:
            grad_bias.add_(grad.sum(1).to(grad_bias.dtype))
        found = weight_gradient(seen.samples(), weight, group, grad)
        grad_weight.add_(found.to(grad_weight.dtype))
        grad = samples_gradient(kernel, group, grad)
        image, shift, share = seen.gradients(grad)
        grad_input[i].copy_(image)
        grad_offset[i].copy_(shift)
        grad_mask[i].copy_(share)


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
