"""The sizes that predicted masks go through inside a graph."""

from typing import Any, NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.structures import MaskLogits

# Height and width, numbers or traced tensors without dimensions.
Size: TypeAlias = tuple[Any, Any]


class Frame(NamedTuple):
    """Sizes on the way to results.

    Attributes:
        padded: of the network's input.
        image: of its top left part without padding; None is all of it.
        out: of the results; None is that of the image.
    """

    padded: Size
    image: Size | None = None
    out: Size | None = None

    def enlarge(self, maps: Tensor) -> Tensor:
        """Maps (B, n, h, w) at the size of the input, padding included."""
        return resize(maps, self.padded)

    def unpad(self, maps: Tensor) -> Tensor:
        """Cuts maps (B, n, *padded) to the image and resizes them."""
        if self.image is not None:
            height, width = self.image
            maps = maps[:, :, :height, :width]
        return maps if self.out is None else resize(maps, self.out)

    def finish(self, maps: Tensor) -> Tensor:
        """Maps (B, n, h, w) at the size of the results.

        Bilinear to the input's size, cut and bilinear to the results' size,
        as the fusion heads do.
        """
        return self.unpad(self.enlarge(maps))

    def factors(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Matrices (H, h), (w, W) between which a product is :meth:`finish`.

        What each row and column of the results takes of those of maps
        (..., h, w): one step, however many sizes lie between.
        """
        image = self.image or (None, None)
        out = self.out or (None, None)
        rows, columns = (
            _taken(maps.shape[i - 2], self.padded[i], image[i], out[i])
            for i in range(2)
        )
        return rows, columns.transpose(0, 1)

    def corners(self, boxes: Tensor) -> Tensor:
        """Corners in pixels of the results of boxes (..., 4) in [0, 1].

        Args:
            boxes: (cx, cy, w, h) relative to the padded input.
        """
        height, width = self.padded
        if self.image is not None and self.out is not None:
            height = height * self.out[0] / self.image[0]
            width = width * self.out[1] / self.image[1]
        cx, cy, w, h = boxes.unbind(-1)
        edges = [
            (cx - w / 2) * width,
            (cy - h / 2) * height,
            (cx + w / 2) * width,
            (cy + h / 2) * height,
        ]
        return torch.stack(edges, -1)


def _taken(low: Any, padded: Any, image: Any, out: Any) -> Tensor:
    """What each pixel of a side takes of those of a low side."""
    first = _bilinear(low, padded)
    if image is not None:
        first = first[:image]
    if out is None:
        return first
    return _bilinear(padded if image is None else image, out) @ first


def _bilinear(old: Any, new: Any) -> Tensor:
    """What each of ``new`` pixels takes of ``old`` ones, (new, old)."""
    old, new = torch.as_tensor(old), torch.as_tensor(new)
    centres = torch.arange(new, dtype=torch.float32) + 0.5
    places = (centres * (old.float() / new.float()) - 0.5).clamp(min=0)
    # Beyond the last centre there is that pixel alone.
    places = torch.minimum(places, old.float() - 1)
    gaps = places[:, None] - torch.arange(old, dtype=torch.float32)
    return (1 - gaps.abs()).clamp(min=0)


def resize(maps: Tensor, size: Size) -> Tensor:
    """Bilinear resize of (B, n, h, w) maps."""
    return F.interpolate(maps, size, mode='bilinear', align_corners=False)


def multiply(masks: MaskLogits, queries: Tensor | None = None) -> Tensor:
    """Maps (B, n, h, w) of some queries (B, n), of all if None."""
    embed = masks.embed.float()
    if queries is not None:
        index = queries[..., None].expand(-1, -1, embed.shape[-1])
        embed = embed.gather(1, index)
    features = masks.features.float()
    maps = embed @ features.flatten(2)
    return maps.unflatten(2, features.shape[-2:])
