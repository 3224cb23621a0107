"""What a model found in each image, beside what is there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_utils

from mmseg_plugin.apis.segments import Segment, box_of

KINDS = ('panoptic', 'instances', 'semantic')


class Region(NamedTuple):
    """An object, or a region of one class, in little memory.

    Attributes:
        label: index of the class.
        rle: compressed, of the whole image.
        score: in [0, 1]; None for the truth and for regions.
        crowd: a group of objects that nobody has told apart.
    """

    label: int
    rle: dict
    score: float | None = None
    crowd: bool = False

    def mask(self) -> np.ndarray:
        """Pixels (h, w), bool."""
        return mask_utils.decode(self.rle).astype(bool)

    def segment(self) -> Segment | None:
        """To be drawn; None without a pixel."""
        mask = self.mask()
        if not mask.any():
            return None
        return Segment(self.label, mask, box_of(mask), self.score)

    @property
    def area(self) -> int:
        """Pixels."""
        return int(mask_utils.area(self.rle))


def region_of(segment: Segment, size: tuple[int, int]) -> Region | None:
    """A region from a segment; None without a mask.

    Args:
        segment: of one image.
        size: height and width of the image.
    """
    if segment.mask is None:
        return None
    mask = np.asfortranarray(segment.whole_mask(size), np.uint8)
    rle = mask_utils.encode(mask)
    score = None if segment.score is None else float(segment.score)
    return Region(int(segment.label), rle, score, segment.crowd)


@dataclass
class ImageRecord:
    """One image.

    Attributes:
        id: of the data set.
        path: of the file.
        size: height and width.
        truth: what is there.
        found: what the model found.
    """

    id: Any
    path: str
    size: tuple[int, int]
    truth: list[Region] = field(default_factory=list)
    found: list[Region] = field(default_factory=list)


@dataclass
class Judged:
    """One kind of result of one run on its validation images.

    Attributes:
        kind: of :data:`KINDS`.
        classes: names of the labels.
        images: all that were looked at.
        max_dets: most results of an image and class that count.
    """

    kind: str
    classes: Sequence[str]
    images: list[ImageRecord]
    max_dets: int = 100

    def limit(self) -> str:
        """At how many results AP is taken, in words; ``''`` without AP."""
        if self.kind != 'instances':
            return ''
        return f'at {self.max_dets} detections of an image and class'


def label_map(
    regions: Sequence[Region], size: tuple[int, int], base: int = 0
) -> np.ndarray:
    """Map (h, w) of the number of the region of each pixel, from ``base``.

    Args:
        regions: a later one covers an earlier one.
        size: height and width.
        base: number of the first region; the rest of the map is ``base - 1``.
    """
    ids = np.full(size, base - 1, np.int64)
    for number, region in enumerate(regions, base):
        ids[region.mask()] = number
    return ids
