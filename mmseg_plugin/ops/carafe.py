"""Content-aware upsampling ("CARAFE", arXiv 1905.02188, section 3)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.utils.precision import at_least_float32


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Each output pixel a weighted sum around the pixel it comes from.

    Args:
        features: (B, C, H, W).
        masks: (B, G * K * K, s * H, s * W), the weights.
        rfeatures: written to: ``features``, for the backward pass.
        routput: not used, like ``rmasks``.
        rmasks: not used.
        output: written to, (B, C, s * H, s * W).
        kernel_size: K, odd.
        group_size: G, groups of channels with weights of their own.
        scale_factor: s.
    """
    rfeatures.copy_(features)
    carafe_naive_forward(
        features,
        masks,
        output,
        kernel_size=kernel_size,
        group_size=group_size,
        scale_factor=scale_factor,
    )


def carafe_naive_forward(
    features: Tensor,
    masks: Tensor,
    output: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """As :func:`carafe_forward`."""
    weights = _split(masks, group_size, scale_factor)
    sums = at_least_float32(output).unflatten(1, (group_size, -1))
    sums = torch.zeros_like(_split_size(sums, features.shape[2:]))
    for i, seen in enumerate(_shifted(features, kernel_size, group_size)):
        sums += seen[..., None, :, None] * weights[:, :, i, None]
    output.copy_(sums.flatten(5).flatten(3, 4).flatten(1, 2))


def carafe_backward(
    grad_output: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rgrad_output: Tensor,
    rgrad_input_hs: Tensor,
    rgrad_input: Tensor,
    rgrad_masks: Tensor,
    grad_input: Tensor,
    grad_masks: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Writes the gradients of features and masks.

    Args as of :func:`carafe_forward`; ``rgrad_*`` are not used.
    """
    carafe_naive_backward(
        grad_output,
        rfeatures,
        masks,
        grad_input,
        grad_masks,
        kernel_size=kernel_size,
        group_size=group_size,
        scale_factor=scale_factor,
    )


def carafe_naive_backward(
    grad_output: Tensor,
    features: Tensor,
    masks: Tensor,
    grad_input: Tensor,
    grad_masks: Tensor,
    *,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """As :func:`carafe_backward`."""
    weights = _split(masks, group_size, scale_factor)
    found = _split(grad_masks, group_size, scale_factor)
    height, width = features.shape[2:]
    # (B, G, C / G, H, s, W, s)
    grad = at_least_float32(grad_output).unflatten(1, (group_size, -1))
    grad = _split_size(grad, features.shape[2:])
    half = kernel_size // 2
    padded = F.pad(at_least_float32(features), [half] * 4).mul_(0)
    sums = padded.unflatten(1, (group_size, -1))
    for i, seen in enumerate(_shifted(features, kernel_size, group_size)):
        row, column = divmod(i, kernel_size)
        part = (grad * seen[..., None, :, None]).sum(2)
        found[:, :, i].copy_(part)
        part = (grad * weights[:, :, i, None]).sum((4, 6))
        sums[..., row : row + height, column : column + width] += part
    inner = padded[..., half : half + height, half : half + width]
    grad_input.copy_(inner)


def _split(masks: Tensor, groups: int, scale: int) -> Tensor:
    """(B, G * K * K, s * H, s * W) to (B, G, K * K, H, s, W, s), a view."""
    masks = masks.unflatten(1, (groups, -1))
    return masks.unflatten(4, (-1, scale)).unflatten(3, (-1, scale))


def _split_size(maps: Tensor, size: torch.Size) -> Tensor:
    """(..., s * H, s * W) to (..., H, s, W, s), a view."""
    maps = maps.unflatten(-1, (size[1], -1))
    return maps.unflatten(-3, (size[0], -1))


def _shifted(
    features: Tensor, kernel_size: int, groups: int
) -> Iterator[Tensor]:
    """What each place of the kernel sees, (B, G, C / G, H, W)."""
    height, width = features.shape[2:]
    padded = F.pad(at_least_float32(features), [kernel_size // 2] * 4)
    padded = padded.unflatten(1, (groups, -1))
    for row in range(kernel_size):
        for column in range(kernel_size):
            yield padded[..., row : row + height, column : column + width]
