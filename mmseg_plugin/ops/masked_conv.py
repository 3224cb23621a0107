"""Convolution at chosen places only ("Guided Anchoring", arXiv 1901.03278)."""

import torch.nn.functional as F
from torch import Tensor


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    *,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """What the kernel sees at each chosen place.

    Args:
        im: (1, C, H, W).
        mask_h_idx: rows of the places, int64 (N,).
        mask_w_idx: their columns.
        col: written to, (C * kernel_h * kernel_w, N).
        kernel_h: height of the kernel.
        kernel_w: its width.
        pad_h: rows of zeros above and below.
        pad_w: columns of zeros on either side.
    """
    # As many more as the kernel may reach beyond the lower right corner.
    padded = F.pad(im[0], (pad_w, pad_w + kernel_w, pad_h, pad_h + kernel_h))
    windows = padded.unfold(1, kernel_h, 1).unfold(2, kernel_w, 1)
    seen = windows[:, mask_h_idx, mask_w_idx]
    col.copy_(seen.movedim(1, -1).reshape(col.shape))


def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    *,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Puts results where they belong.

    Args:
        col: (C, N).
        mask_h_idx: rows of the places, int64 (N,).
        mask_w_idx: their columns.
        im: written to, (1, C, H, W).
        height: H.
        width: W.
        channels: C.
    """
    im[0, :, mask_h_idx, mask_w_idx] = col
