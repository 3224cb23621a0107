"""Masks cut out to the rectangles around them, inside a graph and back."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.exporting.instances import boxes_around


class _Chosen(torch.autograd.Function):
    """ONNX's ``Compress`` of a flat tensor."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, keep: Tensor) -> Tensor:
        return values[keep]

    @staticmethod
    def symbolic(g: Any, values: Any, keep: Any) -> Any:
        return g.op('Compress', values, keep)


def cut_out(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Results with ``windows`` beside ``masks`` that hold no more than those.

    Args:
        found: ``labels`` (B, n), -1 is no instance, and ``masks`` uint8
            (B, n, h, w).

    Returns:
        The same with ``windows`` int32 (B, n, 4), x1, y1, x2, y2, the last
        ones exclusive, zeros of empty masks; and ``masks`` uint8 (N,), the
        pixels inside all windows one after the other, row by row.
    """
    masks = found['masks']
    corners = boxes_around(masks).int()
    corners = corners.where((found['labels'] >= 0)[..., None], 0)
    x1, y1, x2, y2 = corners[..., None].unbind(2)
    rows = torch.arange(masks.shape[2])
    columns = torch.arange(masks.shape[3])
    inside = (rows >= y1) & (rows < y2)
    inside = inside[..., None] & ((columns >= x1) & (columns < x2))[:, :, None]
    pixels = _Chosen.apply(masks.flatten(), inside.flatten())
    return {**found, 'windows': corners, 'masks': pixels}


def put_back(
    pixels: np.ndarray, windows: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Whole masks uint8 (B, n, *size) of what :func:`cut_out` gives."""
    masks = np.zeros((*windows.shape[:2], *size), np.uint8)
    begin = 0
    for place in np.ndindex(*windows.shape[:2]):
        x1, y1, x2, y2 = windows[place].tolist()
        end = begin + (y2 - y1) * (x2 - x1)
        crop = pixels[begin:end].reshape(y2 - y1, x2 - x1)
        masks[place][y1:y2, x1:x2] = crop
        begin = end
    return masks
