"""Mask logits of one image's queries, resized as the published models do."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.structures import MaskLogits
from mmseg_plugin.structures.sampling import resize
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


class QueryMaps:
    """Mask logits of the queries of one image, resized only where wanted.

    As published, logits are resized bilinearly to the padded input size, cut
    to the image and resized again to the size of the results.

    Args:
        masks: logits of a batch; the maps themselves (B, Q, h, w), or their
            factors with ``embed`` (B, Q, D).
        image: position of the image in the batch.
        sizes: padded, image and result size.
    """

    def __init__(self, masks: MaskLogits | Tensor, image: int, sizes: Sizes):
        self.masks = masks
        self.image = image
        self.sizes = sizes

    def low(self, queries: Tensor) -> Tensor:
        """Logits (n, h, w) of some queries, at the predicted size."""
        if isinstance(self.masks, Tensor):
            return self.masks[self.image, queries].float()
        embed = self.masks.embed[self.image, queries].float()
        features = self.masks.features[self.image].float()
        return (embed @ features.flatten(1)).unflatten(1, features.shape[1:])

    def unpad(self, maps: Tensor) -> Tensor:
        """Cuts maps (n, *padded) to the image and resizes them for output."""
        height, width = self.sizes.image
        return resize(maps[:, :height, :width], self.sizes.out)

    def full(self, queries: Tensor) -> Tensor:
        """Logits (n, *out) of some queries."""
        return self.unpad(resize(self.low(queries), self.sizes.padded))
