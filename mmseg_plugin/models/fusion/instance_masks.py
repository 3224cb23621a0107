"""Masks of the queries that may be instances, on the CPU or elsewhere."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.models.fusion.cpu_maps import Crop, above, spans_of
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.rle import encode_crop
from mmseg_plugin.structures import boxes_of


class HostMasks(NamedTuple):
    """Masks of m queries on the CPU, of each the part inside its box.

    Attributes:
        scores: (m,), mean probability inside each mask.
        boxes: (m, 4), (x1, y1, x2, y2), zeros for an empty mask.
        filled: bool (m,), which masks have a pixel.
        crops: bool, of each mask.
        size: height and width of a whole mask.
    """

    scores: Tensor
    boxes: Tensor
    filled: Tensor
    crops: list[Crop]
    size: tuple[int, int]

    def dense(self, which: Tensor) -> Tensor:
        """Whole masks bool (N, H, W) of some of them."""
        # NumPy takes fresh memory for zeros without writing to it.
        masks = np.zeros((len(which), *self.size), bool)
        for mask, i in zip(masks, which.tolist(), strict=True):
            pixels, top, left = self.crops[i]
            height, width = pixels.shape
            mask[top : top + height, left : left + width] = pixels
        return torch.from_numpy(masks)

    def to_copy(self) -> list[Tensor]:
        """What :meth:`codes` needs from the device: nothing."""
        return []

    def codes(self, which: Tensor) -> list[dict]:
        """Compressed COCO RLE of some of them."""
        found = {
            i: encode_crop(pixels.numpy(), top, left, self.size)
            for i in set(which.tolist())
            for pixels, top, left in [self.crops[i]]
        }
        return [found[i] for i in which.tolist()]


class DeviceMasks(NamedTuple):
    """Whole masks of m queries, none of which the host has seen.

    Attributes:
        scores: see :class:`HostMasks`.
        boxes: the same.
        filled: the same.
        pixels: bool (m, H, W).
    """

    scores: Tensor
    boxes: Tensor
    filled: Tensor
    pixels: Tensor

    def dense(self, which: Tensor) -> Tensor:
        """Whole masks bool (N, H, W) of some of them."""
        return self.pixels[which]

    def to_copy(self) -> list[Tensor]:
        """What :meth:`codes` needs on the host: boxes, and eight pixels a
        byte."""
        return [self.boxes, packed_bits(self.pixels)]

    def codes(self, which: Tensor, boxes: Tensor, bits: Tensor) -> list[dict]:
        """Compressed COCO RLE of some of them, encoded inside their boxes."""
        size = self.pixels.shape[1], self.pixels.shape[2]
        found = {}
        for i in set(which.tolist()):
            left, top, right, bottom = boxes[i].int().tolist()
            first = left // 8
            part = bits[i, top:bottom, first : -(-right // 8)].numpy()
            pixels = np.unpackbits(part, axis=1)
            pixels = pixels[:, left - 8 * first : right - 8 * first]
            found[i] = encode_crop(pixels, top, left, size)
        return [found[i] for i in which.tolist()]


Masks = HostMasks | DeviceMasks


def packed_bits(masks: Tensor) -> Tensor:
    """Bool (n, H, W) as bytes (n, H, ceil(W / 8)), the first pixel highest.

    The order of ``np.unpackbits``.
    """
    missing = -masks.shape[-1] % 8
    bits = F.pad(masks.to(torch.uint8), (0, missing)).unflatten(-1, (-1, 8))
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=masks.device)
    return (bits << shifts).sum(-1, dtype=torch.uint8)


def _logit(probability: float) -> float:
    return torch.tensor(probability).logit().item()


def host_masks(queries: Tensor, maps: QueryMaps, mask_thr: float) -> HostMasks:
    """Masks of some queries, computed where they may have pixels.

    Args:
        queries: (m,).
        maps: mask logits.
        mask_thr: probability above which a pixel belongs to a mask.
    """
    threshold = _logit(mask_thr)
    totals = np.zeros(len(queries), np.float32)
    counts = np.zeros(len(queries), np.int64)
    boxes = np.zeros((len(queries), 4), np.float32)
    crops = []
    parts = above(maps.low(queries), maps.sizes, threshold)
    for i, (logits, top, left) in enumerate(parts):
        # NumPy compares and counts several times as fast.
        inside = logits.numpy() > np.float32(threshold)
        counts[i] = np.count_nonzero(inside)
        if not counts[i]:
            crops.append(Crop(torch.zeros(0, 0, dtype=torch.bool), 0, 0))
            continue
        (x1, y1), (x2, y2) = (
            [int(side[0]) for side in sides]
            for sides in zip(
                *(spans_of(inside.any(axis)[None]) for axis in (0, 1)),
                strict=True,
            )
        )
        crop = torch.from_numpy(inside[y1:y2, x1:x2])
        crops.append(Crop(crop, top + y1, left + x1))
        boxes[i] = left + x1, top + y1, left + x2, top + y2
        # Zero probability outside.
        logits = torch.threshold_(logits, threshold, -torch.inf)
        totals[i] = logits.sigmoid_().sum().item()
    number = torch.from_numpy(counts)
    return HostMasks(
        torch.from_numpy(totals) / (number + 1e-6),
        torch.from_numpy(boxes),
        number > 0,
        crops,
        maps.sizes.out,
    )


def device_masks(
    queries: Tensor, maps: QueryMaps, mask_thr: float, chunk_size: int
) -> DeviceMasks:
    """Masks of some queries: launches cost more there than pixels.

    Args:
        queries: (m,).
        maps: mask logits.
        mask_thr: probability above which a pixel belongs to a mask.
        chunk_size: maps of result size held at once.
    """
    threshold = _logit(mask_thr)
    pixels, scores, boxes, filled = [], [], [], []
    for chunk in queries.split(chunk_size):
        logits = maps.full(chunk)
        inside = logits > threshold
        total = (logits.sigmoid() * inside).sum((1, 2))
        scores.append(total / (inside.sum((1, 2)) + 1e-6))
        box, some = boxes_of(inside)
        pixels.append(inside)
        boxes.append(box)
        filled.append(some)
    return DeviceMasks(
        *map(torch.cat, (scores, boxes, filled, pixels)),
    )
