"""Crops around an object that was chosen beforehand."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from mmcv.image import imresize
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import RandomCrop, Resize
from mmdet.structures.mask import BitmapMasks
from PIL import Image

from mmseg_plugin.registry import TRANSFORMS

Box = tuple[float, float, float, float]


class CropObject(NamedTuple):
    """What an image is cropped around, ``results['crop_object']``.

    Attributes:
        label: class of the object.
        box: (x1, y1, x2, y2) in pixels of the image; of the class in the
            semantic map if None.
        scale: square root of the box area that a thing is resized to; None
            for stuff.
    """

    label: int
    box: Box | None
    scale: float | None

    def located(self, results: dict) -> Box:
        """The box; the whole image's where there is none."""
        if self.box is not None:
            return self.box
        rows, columns = np.nonzero(results['gt_seg_map'] == self.label)
        if not len(rows):
            height, width = results['img'].shape[:2]
            return 0, 0, width, height
        first = columns.min(), rows.min()
        return (*first, columns.max() + 1, rows.max() + 1)


@TRANSFORMS.register_module()
class ResizeToObject(Resize):
    """Resizes an image so that its object has the wanted scale.

    A thing's image is resized by ``scale / sqrt(box area)`` within the
    bounds, an image of stuff as usual. Uses Pillow: its nearest neighbour is
    that of the pixel's centre, OpenCV's that of its corner.

    Source: Mask2Former-IBS 7a4bc20, augmentations.py,
    ResizeShortestEdgeAdaptive.

    Args:
        shortest_side: least and most pixels of the shorter side of a thing's
            image.
        longest_side: most pixels of its longer side.
        stuff_sides: shorter sides of an image of stuff, one is drawn.
        stuff_longest_side: most pixels of its longer side.
    """

    def __init__(
        self,
        shortest_side: tuple[int, int],
        longest_side: int,
        stuff_sides: Sequence[int],
        stuff_longest_side: int,
    ) -> None:
        super().__init__(scale=(1, 1), keep_ratio=False, backend='pillow')
        self.shortest_side = shortest_side
        self.longest_side = longest_side
        self.stuff_sides = stuff_sides
        self.stuff_longest_side = stuff_longest_side

    @cache_randomness
    def _stuff_side(self) -> int:
        return int(np.random.choice(self.stuff_sides))

    def new_size(
        self, size: tuple[int, int], box: Box, scale: float | None
    ) -> tuple[int, int]:
        """Height and width to resize to.

        Args:
            size: height and width.
            box: of the object.
            scale: see :class:`CropObject`.
        """
        short = min(size)
        if scale is None:
            factor = self._stuff_side() / short
            longest = self.stuff_longest_side
        else:
            x1, y1, x2, y2 = box
            area = (x2 - x1) * (y2 - y1)
            low, high = (side / short for side in self.shortest_side)
            # The published number is a float32.
            ratio = np.float32(scale / np.sqrt(area))
            factor = float(np.clip(ratio, low, high))
            longest = self.longest_side
        scaled = [factor * side for side in size]
        shrink = min(longest / max(scaled), 1.0)
        height, width = (int(side * shrink + 0.5) for side in scaled)
        return height, width

    def transform(self, results: dict) -> dict:
        """Resizes everything, and the box of ``crop_object`` too."""
        size = results['img'].shape[:2]
        crop_object = results['crop_object']
        box = crop_object.located(results)
        height, width = self.new_size(size, box, crop_object.scale)
        factors = (width / size[1], height / size[0]) * 2
        box = tuple(x * factor for x, factor in zip(box, factors, strict=True))
        results['crop_object'] = crop_object._replace(box=box)
        self.scale = (width, height)
        return super().transform(results)

    def _resize_masks(self, results: dict) -> None:
        if 'gt_masks' not in results:
            return
        masks = [
            imresize(
                mask, self.scale, interpolation='nearest', backend='pillow'
            )
            for mask in results['gt_masks'].masks
        ]
        results['gt_masks'] = BitmapMasks(masks, *self.scale[::-1])

    def _resize_seg(self, results: dict) -> None:
        if 'gt_seg_map' not in results:
            return
        # As int32, which has room for every label.
        labels = results['gt_seg_map']
        image = Image.fromarray(labels.astype(np.int32))
        resized = image.resize(self.scale, Image.Resampling.NEAREST)
        results['gt_seg_map'] = np.asarray(resized).astype(labels.dtype)


@TRANSFORMS.register_module()
class CropAroundObject(RandomCrop):
    """A random crop that holds the centre of the image's object.

    Source: Mask2Former-IBS 7a4bc20, augmentations.py, RandomCropWithInstance.
    As published, bounds are rounded down, so the centre may lie outside by
    less than a pixel.

    Args:
        crop_size: width and height.
        recompute_bbox: take boxes from the masks that are left.
    """

    def __init__(
        self, crop_size: tuple[int, int], recompute_bbox: bool = True
    ) -> None:
        super().__init__(
            crop_size, allow_negative_crop=True, recompute_bbox=recompute_bbox
        )

    def offset_ranges(
        self, size: tuple[int, int], box: Box
    ) -> list[tuple[float, float]]:
        """Range of the first row and of the first column.

        Args:
            size: height and width of the image.
            box: object, (x1, y1, x2, y2).

        Returns:
            Lower bound and exclusive upper bound of each.
        """
        x1, y1, x2, y2 = box
        ranges = []
        for side, crop, center in zip(
            size,
            self._get_crop_size(size),
            ((y1 + y2) / 2, (x1 + x2) / 2),
            strict=True,
        ):
            low = max(center - crop, 0)
            ranges.append((low, max(min(side - crop, center - 1), low) + 1))
        return ranges

    def transform(self, results: dict) -> dict:
        """Crops everything around the box of ``crop_object``."""
        self.ranges = self.offset_ranges(
            results['img'].shape[:2], results['crop_object'].box
        )
        return super().transform(results)

    @cache_randomness
    def _rand_offset(self, margin: tuple[int, int]) -> tuple[int, int]:
        row, column = (
            np.random.randint(int(low), max(int(high), int(low) + 1))
            for low, high in self.ranges
        )
        return row, column
