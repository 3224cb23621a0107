"""Deformable convolution ("Deformable ConvNets", arXiv 1703.06211)."""

from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32

from .deform_columns import (
    Columns,
    Geometry,
    apply_kernel,
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
        im2col_step: not used; the memory is that of one image.
        sizes: ``kH, kW, dH, dW, padH, padW, dilationH, dilationW``.
    """
    where = _geometry(**sizes)
    for image, shift, out in zip(input, offset, output, strict=True):
        seen = _columns(image, shift, where, deformable_group)
        kernel = at_least_float32(weight)
        found = apply_kernel(seen.samples(), kernel, group)
        out.copy_(found.view(out.shape))


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
        grad = at_least_float32(grad_output[i]).flatten(1)
        grad = samples_gradient(kernel, group, grad)
        seen = _columns(input[i], offset[i], where, deformable_group)
        image, shift, _ = seen.gradients(grad)
        grad_input[i].copy_(image)
        grad_offset[i].copy_(shift)


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
    for i in range(len(input)):
        seen = _columns(input[i], offset[i], where, deformable_group)
        grad = at_least_float32(grad_output[i]).flatten(1)
        found = weight_gradient(seen.samples(), grad_weight, group, grad)
        grad_weight.add_(found.to(grad_weight.dtype), alpha=scale)


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
