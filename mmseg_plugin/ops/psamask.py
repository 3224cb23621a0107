"""Masks of point-wise spatial attention ("PSANet", ECCV 2018, section 3)."""

import torch
from torch import Tensor

_COLLECT = 0


def psamask_forward(
    input: Tensor,
    output: Tensor,
    *,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Moves each pixel's mask, centred on it, onto the whole map.

    Args:
        input: (B, h_mask * w_mask, H, W).
        output: written to, (B, H * W, H, W): of each place of the map (first
            axis), what the pixels (last two) say about it. With ``psa_type``
            1 (distribute) the other way round.
        psa_type: 0 to collect, 1 to distribute.
        num_: B.
        h_feature: H.
        w_feature: W.
        h_mask: height of the mask.
        w_mask: its width.
        half_h_mask: row of its centre.
        half_w_mask: column of its centre.
    """
    index, inside = _places(
        (h_feature, w_feature),
        (h_mask, w_mask),
        (half_h_mask, half_w_mask),
        input.device,
    )
    masks = input.flatten(2)
    moved = masks.gather(1, index.expand(num_, -1, -1)).where(inside, 0)
    if psa_type != _COLLECT:
        moved = moved.mT
    output.copy_(moved.reshape(output.shape))


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    *,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Writes the gradient of ``input``; args as of the forward pass."""
    index, inside = _places(
        (h_feature, w_feature),
        (h_mask, w_mask),
        (half_h_mask, half_w_mask),
        grad_output.device,
    )
    grad = grad_output.flatten(2)
    if psa_type != _COLLECT:
        grad = grad.mT
    found = torch.zeros_like(grad_input).flatten(2)
    found.scatter_add_(1, index.expand(num_, -1, -1), grad.where(inside, 0))
    grad_input.copy_(found.view(grad_input.shape))


def _places(
    size: tuple[int, int],
    mask: tuple[int, int],
    centre: tuple[int, int],
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Place in a pixel's mask of every other pixel.

    Returns:
        Index into the mask, int64 (H * W, H * W), the other pixel first, and
        whether it lies in the mask.
    """
    places, valid = [], []
    for axis in (0, 1):
        pixel = torch.arange(size[axis], device=device)
        place = pixel[:, None] - pixel + centre[axis]
        valid.append((place >= 0) & (place < mask[axis]))
        places.append(place.clamp(0, mask[axis] - 1))
    index = places[0][:, None, :, None] * mask[1] + places[1][:, None]
    inside = valid[0][:, None, :, None] & valid[1][:, None]
    count = size[0] * size[1]
    return index.reshape(count, count), inside.reshape(count, count)
