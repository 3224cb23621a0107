"""Masks of a panoptic map that stays at its stored size till the end."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import cv2
import numpy as np
from scipy import ndimage

from mmseg_plugin.structures.deferred_masks import LateMasks
from mmseg_plugin.structures.placement import Placement
from mmseg_plugin.structures.polygons import Block


class _Regions:
    """A map of numbered segments, and how it lies in the image.

    Args:
        numbers: unsigned (H, W) as stored; 0 belongs to no segment.
        labels: (n + 1,), label of each number, that of 0 included.
        placement: steps to the present image.
    """

    def __init__(
        self, numbers: np.ndarray, labels: np.ndarray, placement: Placement
    ) -> None:
        self.numbers = numbers
        self.labels = labels
        self.placement = placement

    @cached_property
    def present(self) -> np.ndarray:
        """The map at the present size, by nearest neighbour."""
        return self.placement.gather(self.numbers, 0)


class DeferredRegions(LateMasks):
    """Objects of a panoptic map, and the labels of all its pixels.

    The map is resized once, by nearest neighbour, to the window that is
    kept; masks are compared with their number there.

    Args:
        numbers: unsigned (H, W), the segment of each stored pixel; 0 for
            none.
        masks: int (G,), the numbers of the objects.
        labels: (n + 1,), the label of each number, that of 0 included.
        backend: whose nearest neighbour resizes, ``'pillow'`` (the published
            one) or ``'cv2'`` (mmdet's).
    """

    def __init__(
        self,
        numbers: np.ndarray,
        masks: Sequence[int] | np.ndarray,
        labels: np.ndarray,
        backend: str = 'pillow',
    ) -> None:
        height, width = numbers.shape
        super().__init__(Placement((height, width)), backend)
        self.masks = np.asarray(masks, int)
        self._regions = _Regions(numbers, labels, self.placement)

    def __len__(self) -> int:
        return len(self.masks)

    def _of(self, regions: _Regions, masks: np.ndarray) -> 'DeferredRegions':
        new = DeferredRegions(
            regions.numbers, masks, regions.labels, self.backend
        )
        new.placement, new._regions = regions.placement, regions
        return new

    def _placed(self, placement: Placement) -> 'DeferredRegions':
        old = self._regions
        return self._of(
            _Regions(old.numbers, old.labels, placement), self.masks
        )

    def _chosen(self, index: np.ndarray) -> 'DeferredRegions':
        return self._of(self._regions, self.masks[index])

    @classmethod
    def cat(cls, masks: Sequence['DeferredRegions']) -> 'DeferredRegions':
        """Masks of one map at one place, one behind the other."""
        if len({id(m._regions) for m in masks}) != 1:
            raise ValueError('only masks of one map can be put together')
        numbers = np.concatenate([m.masks for m in masks])
        return masks[0]._of(masks[0]._regions, numbers)

    def seg_map(self) -> np.ndarray:
        """Label of each pixel of the present image, (height, width)."""
        labels, present = self._regions.labels, self._regions.present
        if labels.dtype == present.dtype == np.uint8:
            # NumPy takes three times as long.
            table = np.zeros(256, np.uint8)
            table[: len(labels)] = labels
            return cv2.LUT(present, table)
        return labels.take(present)

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """See the base class."""
        present = self._regions.present
        whole = (slice(0, self.height), slice(0, self.width))
        # Boxes cost as much as so many comparisons of the whole map.
        many = len(self) > 64
        found = ndimage.find_objects(present) if many else None
        for index, number in enumerate(self.masks.tolist()):
            place: tuple | None = whole
            if found is not None:
                place = found[number - 1] if number <= len(found) else None
            if place is not None:
                mask = (present[place] == number).view(np.uint8)
                yield index, Block(mask, place[0].start, place[1].start)
