"""The sizes that a predicted mask goes through."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.utils.host import constants


class Sizes(NamedTuple):
    """The three sizes (height, width) that a predicted mask goes through.

    Attributes:
        padded: network input, padding included.
        image: network input without padding, its top left part.
        out: size of the results.
    """

    padded: tuple[int, int]
    image: tuple[int, int]
    out: tuple[int, int]

    def corners(self, boxes: Tensor) -> Tensor:
        """Predicted boxes at the size of the results.

        Args:
            boxes: (n, 4), (cx, cy, w, h) relative to the padded input.

        Returns:
            (n, 4), (x1, y1, x2, y2) in pixels, not cut to the image.
        """
        centre, extent = boxes.split(2, -1)
        corners = torch.cat([centre - extent / 2, centre + extent / 2], -1)
        height, width = (
            padded / image * out
            for padded, image, out in zip(*self, strict=True)
        )
        scale = (width, height, width, height)
        return corners * constants(scale, corners.device, corners.dtype)
