"""Masks that stay polygons and RLE until their last size is known."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import cv2
import mmcv
import numpy as np
import torch
from pycocotools import mask as mask_utils

from mmseg_plugin.structures.instance_masks import InstanceMasks, as_index
from mmseg_plugin.structures.packed_masks import PackedMasks
from mmseg_plugin.structures.placement import (
    Placement,
    Resize,
    Step,
    Window,
    flips,
)
from mmseg_plugin.structures.polygons import Block, Polygons

Segmentation: TypeAlias = Sequence[np.ndarray] | dict


class LateMasks(InstanceMasks):
    """Masks that keep what is done to them, and are made when asked for.

    Flips, resizes, crops and padding are written down only. Anything else
    gives mmdet's bitmaps. Masks are made once, of what is visible, by
    :meth:`packed`.

    Args:
        placement: how they lie in the present image.
        backend: see :class:`mmseg_plugin.structures.placement.Resize`.
    """

    def __init__(self, placement: Placement, backend: str) -> None:
        if backend not in ('pillow', 'cv2'):
            raise ValueError(f'backend is pillow or cv2, not {backend}')
        self.placement = placement
        self.backend = backend
        self._packed: PackedMasks | None = None
        self._areas = np.zeros(0, np.int64)

    def blocks(self) -> Iterable[tuple[int, Block]]:
        """Place and mask of each object that has a pixel."""
        raise NotImplementedError

    def _placed(self, placement: Placement) -> 'LateMasks':
        """The same masks at another place."""
        raise NotImplementedError

    def _chosen(self, index: np.ndarray) -> 'LateMasks':
        """Those at places (n,)."""
        raise NotImplementedError

    def __getitem__(self, index: object) -> 'LateMasks':
        places = as_index(index, len(self))
        chosen = self._chosen(places)
        if self._packed is not None:
            chosen._packed = self._packed[places]
            chosen._areas = self._areas[places]
        return chosen

    def __iter__(self) -> Iterator['LateMasks']:
        return (self[i] for i in range(len(self)))

    @property
    def height(self) -> int:  # type: ignore[override]
        """In pixels."""
        return self.placement.size[0]

    @property
    def width(self) -> int:  # type: ignore[override]
        """In pixels."""
        return self.placement.size[1]

    def packed(self) -> PackedMasks:
        """The masks, made now if they have not been."""
        if self._packed is None:
            height, width = self.placement.size
            shape = len(self), height, -(-width // 8)
            bits = np.zeros(shape, np.uint8)
            self._areas = np.zeros(len(self), np.int64)
            for place, block in self.blocks():
                _put(bits[place], block)
                self._areas[place] = cv2.countNonZero(block.mask)
            self._packed = PackedMasks(torch.from_numpy(bits), width)
        return self._packed

    @property
    def areas(self) -> np.ndarray:
        """Number of pixels of each mask, int64 (G,)."""
        self.packed()
        return self._areas

    def corners(self) -> np.ndarray:
        """See the base class."""
        return self.packed().corners()

    def to_ndarray(self) -> np.ndarray:
        """See the base class."""
        return self.packed().to_ndarray()

    def _then(self, *steps: Step) -> 'LateMasks':
        return self._placed(self.placement.then(*steps))

    def flip(self, flip_direction: str = 'horizontal') -> 'LateMasks':
        """Mirrors; for arguments and errors see mmdet."""
        return self._then(*flips(flip_direction))

    def resize(
        self, out_shape: Sequence[int], interpolation: str = 'nearest'
    ) -> 'LateMasks':
        """Resizes to a height and a width."""
        height, width = map(int, out_shape[:2])
        return self._then(Resize((height, width), self.backend))

    def rescale(
        self, scale: float | tuple[int, int], interpolation: str = 'nearest'
    ) -> 'LateMasks':
        """Resizes by a factor, or as large as fits into ``scale``."""
        width, height = mmcv.rescale_size((self.width, self.height), scale)
        return self.resize((height, width))

    def crop(self, bbox: np.ndarray) -> 'LateMasks':
        """Cuts a window out, which may be larger than the image.

        Args:
            bbox: x1, y1, x2, y2 in pixels, whole numbers.
        """
        left, top, right, bottom = map(int, bbox)
        size = max(bottom - top, 1), max(right - left, 1)
        return self._then(Window(top, left, size, clip=True))

    def pad(self, out_shape: Sequence[int], pad_val: int = 0) -> Any:
        """See :meth:`PackedMasks.pad`."""
        if pad_val:
            return self.to_bitmaps().pad(out_shape, pad_val)
        height, width = map(int, out_shape[:2])
        return self._then(Window(0, 0, (height, width), clip=False))


class DeferredMasks(LateMasks):
    """Polygons and RLE of an image.

    Polygons are moved as numbers, as detectron2's mapper does, which gives
    other pixels than resizing a bitmap: outlines are as sharp at the last
    size as the polygons are. RLE are resized by nearest neighbour.

    Args:
        segmentations: of each object, its polygons or its RLE, compressed or
            not.
        height: of the stored image.
        width: of the stored image.
        backend: whose nearest neighbour resizes RLE, ``'pillow'`` (the
            published one) or ``'cv2'`` (mmdet's).
        placement: how they lie in the present image; as stored if None.
    """

    def __init__(
        self,
        segmentations: Sequence[Segmentation],
        height: int,
        width: int,
        backend: str = 'pillow',
        placement: Placement | None = None,
    ) -> None:
        super().__init__(placement or Placement((height, width)), backend)
        self.segmentations = segmentations
        self._moved: Polygons | None = None

    def __len__(self) -> int:
        return len(self.segmentations)

    def _placed(self, placement: Placement) -> 'DeferredMasks':
        return DeferredMasks(
            self.segmentations,
            *placement.source,
            self.backend,
            placement,
        )

    def _chosen(self, index: np.ndarray) -> 'DeferredMasks':
        return DeferredMasks(
            [self.segmentations[i] for i in index],
            *self.placement.source,
            self.backend,
            self.placement,
        )

    @classmethod
    def cat(cls, masks: Sequence['DeferredMasks']) -> 'DeferredMasks':
        """Masks of one placement, one behind the other."""
        if not masks or any(m.placement != masks[0].placement for m in masks):
            raise ValueError(
                'only masks of one image and of the same steps can be put '
                'together'
            )
        first = masks[0]
        return DeferredMasks(
            [s for m in masks for s in m.segmentations],
            *first.placement.source,
            first.backend,
            first.placement,
        )

    def polygons(self) -> Polygons:
        """Polygons in pixels of the present image; none for RLE."""
        if self._moved is None:
            stored = Polygons.of(
                [
                    () if isinstance(segmentation, dict) else segmentation
                    for segmentation in self.segmentations
                ]
            )
            self._moved = self.placement.move(stored)
        return self._moved

    def corners(self) -> np.ndarray:
        """See the base class; of polygons around their corners."""
        corners = self.polygons().corners()
        encoded = [
            i for i, s in enumerate(self.segmentations) if isinstance(s, dict)
        ]
        if encoded:
            corners[encoded] = self.packed()[encoded].corners()
        return corners

    def blocks(self) -> Iterator[tuple[int, Block]]:
        """See the base class."""
        yield from self.polygons().blocks(*self.placement.size).items()
        stored, size = self.placement.stored, self.placement.source
        rows, columns = None, None
        for place, segmentation in enumerate(self.segmentations):
            if not isinstance(segmentation, dict):
                continue
            if rows is None or columns is None:
                rows, columns = stored(1), stored(0)
            block = _gathered(segmentation, size, rows, columns)
            if block is not None:
                yield place, block


def _gathered(
    rle: dict, source: tuple[int, int], rows: np.ndarray, columns: np.ndarray
) -> Block | None:
    """What is visible of an RLE, None for nothing.

    Args:
        rle: compressed or not.
        source: height and width that it has to have.
        rows: of the source, for each of the image; negative for none.
        columns: the same.
    """
    if tuple(rle['size']) != tuple(source):
        raise ValueError(
            f'an RLE of {rle["size"][0]} x {rle["size"][1]} pixels belongs to '
            f'an image of {source[0]} x {source[1]}'
        )
    if isinstance(rle['counts'], list):
        rle = mask_utils.frPyObjects(rle, *source)
    x, y, width, height = map(int, mask_utils.toBbox(rle))
    here_y = np.flatnonzero((rows >= y) & (rows < y + height))
    here_x = np.flatnonzero((columns >= x) & (columns < x + width))
    if not len(here_y) or not len(here_x):
        return None
    # Decoded by columns: taking whole columns first copies runs.
    by_columns = mask_utils.decode(rle).T
    mask = by_columns.take(columns[here_x], 0).take(rows[here_y], 1).T
    return Block(mask, int(here_y[0]), int(here_x[0]))


def _put(bits: np.ndarray, block: Block) -> None:
    """Writes a block into empty bits (height, ceil(width / 8))."""
    height, width = block.mask.shape
    first, shift = divmod(block.left, 8)
    room = block.mask
    if shift or width % 8:
        room = np.zeros((height, -(-(width + shift) // 8) * 8), np.uint8)
        room[:, shift : shift + width] = block.mask
    packed = np.packbits(room, axis=1)
    rows = bits[block.top : block.top + height]
    rows[:, first : first + packed.shape[1]] = packed
