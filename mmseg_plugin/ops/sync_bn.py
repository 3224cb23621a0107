"""Batch normalisation over processes ("Batch Normalization", 1502.03167).

mmcv's Python code adds up between processes what each of these finds.
"""

import torch
from torch import Tensor


def sync_bn_forward_mean(input: Tensor, mean: Tensor) -> None:
    """Writes means of channels, (C,), of ``input`` (B, C, N)."""
    mean.copy_(input.mean((0, 2), dtype=mean.dtype))


def sync_bn_forward_var(input: Tensor, mean: Tensor, var: Tensor) -> None:
    """Writes mean squared differences from ``mean`` (C,), (C,)."""
    apart = input.to(mean.dtype) - mean[:, None]
    var.copy_(apart.square().mean((0, 2)))


def sync_bn_forward_output(
    input: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    norm: Tensor,
    std: Tensor,
    output: Tensor,
    *,
    eps: float,
    momentum: float | Tensor,
    group_size: int,
) -> None:
    """Normalises, and moves the running statistics.

    Args:
        input: (B, C, N).
        mean: of each channel, (C,), like the rest but for those that follow.
        var: its variance, not corrected for the size of the sample.
        weight: empty for none.
        bias: empty for none.
        running_mean: changed; empty for none.
        running_var: changed, by the corrected variance; empty for none.
        norm: written to, the normalised input, (B, C, N); empty for none.
        std: written to; empty for none.
        output: written to, (B, C, N).
        eps: added to the variance.
        momentum: share of the new statistics.
        group_size: processes of one batch.
    """
    deviation = (var + eps).sqrt()
    normal = (input.to(mean.dtype) - mean[:, None]) / deviation[:, None]
    if norm.numel():
        norm.copy_(normal)
        std.copy_(deviation)
    if weight.numel():
        normal = normal * weight[:, None] + bias[:, None]
    output.copy_(normal)
    if running_mean.numel():
        count = input.shape[0] * input.shape[2] * group_size
        unbiased = var * (count / max(count - 1, 1))
        for old, new in ((running_mean, mean), (running_var, unbiased)):
            old.copy_(momentum * new + (1 - momentum) * old)


def sync_bn_backward_param(
    grad_output: Tensor,
    norm: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
) -> None:
    """Writes gradients of weight and bias, (C,), from two (B, C, N)."""
    grad = grad_output.to(norm.dtype)
    grad_weight.copy_((grad * norm).sum((0, 2)))
    grad_bias.copy_(grad.sum((0, 2)))


def sync_bn_backward_data(
    grad_output: Tensor,
    weight: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    norm: Tensor,
    std: Tensor,
    grad_input: Tensor,
) -> None:
    """Writes the gradient of the input, (B, C, N).

    Args:
        grad_output: (B, C, N).
        weight: (C,); empty for none.
        grad_weight: mean over processes, (C,).
        grad_bias: the same.
        norm: the normalised input, (B, C, N).
        std: (C,).
        grad_input: written to.
    """
    count = grad_output.shape[0] * grad_output.shape[2]
    common = (norm * grad_weight[:, None] + grad_bias[:, None]) / count
    scale = torch.reciprocal(std) * (weight if weight.numel() else 1)
    grad_input.copy_((grad_output.to(norm.dtype) - common) * scale[:, None])
