"""Looks at a large image tile by tile, and once as a whole."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn import functional as F

from mmseg_plugin.apis.fragments import (
    COVERED,
    Fragment,
    Window,
    group_fragments,
    is_cut,
    merge_fragments,
)
from mmseg_plugin.apis.segments import (
    INSTANCE_OFFSET,
    Segment,
    id_map,
    instances_of,
    regions_of,
)


class Tile(NamedTuple):
    """Part of an image that a model sees at once.

    Attributes:
        window: all of it.
        core: the part that no other tile stands for.
        number: of the tile.
        coarse: whether it is the whole image, shrunk for the model.
    """

    window: Window
    core: Window
    number: int
    coarse: bool = False

    def in_core(self, seen: np.ndarray) -> np.ndarray:
        """The core of a map of the window."""
        x, y = self.window[:2]
        left, top, right, bottom = self.core
        return seen[top - y : bottom - y, left - x : right - x]


def _spans(length: int, tile: int, overlap: int) -> list[tuple[int, ...]]:
    """Start and end of each tile along one axis, and of its core."""
    count = max(-(-(length - overlap) // (tile - overlap)), 1)
    last = max(length - tile, 0)
    starts = np.linspace(0, last, count).round().astype(int).tolist()
    ends = [min(start + tile, length) for start in starts]
    seams = [
        (start + end) // 2
        for start, end in zip(starts[1:], ends[:-1], strict=True)
    ]
    return list(zip(starts, ends, [0, *seams], [*seams, length], strict=True))


def tiles_of(size: tuple[int, int], tile: int, overlap: int) -> list[Tile]:
    """Covers an image with tiles that share at least ``overlap`` pixels.

    Args:
        size: height and width of the image.
        tile: longest side of a tile.
        overlap: pixels.

    Returns:
        Row by row; the cores are a partition of the image.

    Raises:
        ValueError: the overlap is negative, or not smaller than the tile.
    """
    if not 0 <= overlap < tile:
        raise ValueError(
            f'overlap {overlap} must be from 0 to {tile - 1}, less than the '
            f'tile of {tile} pixels'
        )
    rows, columns = (_spans(length, tile, overlap) for length in size)
    windows = [
        (Window(x1, y1, x2, y2), Window(left, top, right, bottom))
        for y1, y2, top, bottom in rows
        for x1, x2, left, right in columns
    ]
    return [Tile(*both, number) for number, both in enumerate(windows)]


class TiledPredictor:
    """Detects and segments in tiles, for objects small in a large image.

    The model sees one tile after the other, and the whole image shrunk to
    the size of a tile: what it needs is bounded by the tile. What the
    whole image shows counts for objects larger than the overlap; some tile
    holds all of a smaller one.

    - Instances: those that several windows show are returned once, see
      :func:`merge_fragments`.
    - Panoptic maps: each pixel is from the tile in whose core it lies; things
      that several tiles show are one. Where tiles are void, and on stuff for
      things that no tile can hold, the whole image fills in.
    - Semantic maps: each pixel is from the tile in whose core it lies, with
      the scores of the whole image added if the model gives ``seg_logits``;
      else the whole image fills in where tiles are void.

    Args:
        predict: gives results for an image in memory, at its size, on the
            CPU, such as :class:`Predictor`.
        num_classes: ids from here on are void in panoptic and semantic maps.
        tile: longest side of a tile in pixels.
        overlap: pixels that neighbours share; objects up to this size are
            whole in some tile.

    Raises:
        ValueError: the overlap is negative, or not smaller than the tile.
    """

    def __init__(
        self,
        predict: Callable[[np.ndarray], BaseDataElement],
        num_classes: int,
        tile: int,
        overlap: int,
    ) -> None:
        tiles_of((tile, tile), tile, overlap)
        self.predict = predict
        self.num_classes = num_classes
        self.tile = tile
        self.overlap = overlap

    def __call__(self, image: np.ndarray) -> dict[str, list[Segment]]:
        """Segments of each kind that the model gives, masks cropped.

        Args:
            image: shape (h, w) or (h, w, channels).
        """
        height, width = size = image.shape[0], image.shape[1]
        tiles = tiles_of(size, self.tile, self.overlap)
        mosaic = _Mosaic(size, self.num_classes, self.overlap)
        if len(tiles) > 1:
            factor = self.tile / max(size)
            shape = [max(round(side * factor), 1) for side in (height, width)]
            small = _shrunk(image, (shape[0], shape[1]))
            everything = Window(0, 0, width, height)
            whole = Tile(everything, everything, len(tiles), coarse=True)
            mosaic.add(whole, self.predict(small), small.shape)
        for tile in tiles:
            part = np.ascontiguousarray(image[tile.window.slices])
            mosaic.add(tile, self.predict(part), part.shape)
        return mosaic.segments()


class _Mosaic:
    """Collects the results of one image, those of the shrunk image first."""

    def __init__(
        self, size: tuple[int, int], num_classes: int, overlap: int
    ) -> None:
        self.size = size
        self.num_classes = num_classes
        self.overlap = overlap
        self.cores: dict[int, Window] = {}
        self.fragments: dict[str, list[Fragment]] = {}
        self.maps: dict[str, np.ndarray] = {}
        self.scores: Tensor | None = None

    def add(
        self, tile: Tile, result: BaseDataElement, shape: tuple[int, ...]
    ) -> None:
        """Takes over what the model gave for an image of this shape."""
        self.cores[tile.number] = tile.core
        if 'pred_instances' in result:
            found = instances_of(result.pred_instances)
            self._add_fragments('instances', tile, found, shape)
        if 'pred_panoptic_seg' in result:
            ids = id_map(result.pred_panoptic_seg)
            is_thing = ids >= INSTANCE_OFFSET
            things = np.where(is_thing, ids, self.num_classes)
            found = regions_of(things, self.num_classes, INSTANCE_OFFSET)
            self._add_fragments('panoptic', tile, found, shape)
            stuff = np.where(is_thing, self.num_classes, ids)
            self._add_map('panoptic', tile, stuff)
        if 'pred_sem_seg' in result:
            self._add_map('semantic', tile, self._labels(tile, result))

    def segments(self) -> dict[str, list[Segment]]:
        """Results of each kind; see :class:`TiledPredictor`."""
        kinds = {}
        if 'instances' in self.fragments:
            kinds['instances'] = merge_fragments(self.fragments['instances'])
        if 'panoptic' in self.maps:
            groups = group_fragments(self.fragments['panoptic'])
            self._paint_things(groups)
        for kind, ids in self.maps.items():
            offset = INSTANCE_OFFSET if kind == 'panoptic' else None
            regions = regions_of(ids, self.num_classes, offset)
            kinds[kind] = [region.cropped() for region in regions]
        return kinds

    def _add_fragments(
        self,
        kind: str,
        tile: Tile,
        found: Sequence[Segment],
        shape: tuple[int, ...],
    ) -> None:
        fragments = self.fragments.setdefault(kind, [])
        for segment in found:
            placed = _placed(segment.cropped(), tile.window, shape)
            # A tile holds all of it, and shows it better.
            sides = placed.box[2:] - placed.box[:2]
            if tile.coarse and sides.max() <= self.overlap:
                continue
            cut = is_cut(placed.box, tile.window, self.size)
            fragments.append(
                Fragment(placed, tile.window, tile.number, cut, tile.coarse)
            )

    def _add_map(self, kind: str, tile: Tile, labels: np.ndarray) -> None:
        """Takes the core of a map, where it is not void."""
        ids = self.maps.setdefault(kind, np.full(self.size, self.num_classes))
        x1, y1, x2, y2 = tile.window
        seen = tile.in_core(_resized(labels, (y2 - y1, x2 - x1)))
        known = seen < self.num_classes
        ids[tile.core.slices][known] = seen[known]

    def _labels(self, tile: Tile, result: BaseDataElement) -> np.ndarray:
        """Semantic labels, scores of the whole image being added."""
        scores = result.seg_logits.data if 'seg_logits' in result else None
        # A single score is compared with a threshold that the model knows.
        if scores is not None and len(scores) > 1:
            if tile.coarse:
                self.scores = scores
            elif self.scores is not None:
                scores = scores + _looked_up(self.scores, tile, self.size)
                return scores.argmax(dim=0).numpy()
        return id_map(result.pred_sem_seg)

    def _paint_things(self, groups: Sequence[Sequence[Fragment]]) -> None:
        """Gives the pixels of each group one id."""
        ids = self.maps['panoptic']
        parts = [
            (part, number, len(group) == 1)
            for number, group in enumerate(groups, 1)
            for part in group
        ]
        # What tiles saw comes first; the whole image fills in.
        for part, number, alone in sorted(parts, key=lambda p: p[0].coarse):
            region = part.extent.intersect(self.cores[part.number])
            if region.is_empty:
                continue
            target, inside = ids[region.slices], part.pixels(region)
            own = part.segment.label + INSTANCE_OFFSET * number
            if part.coarse:
                if (target[inside] == own).sum() >= COVERED * inside.sum():
                    continue
                limit = 0 if alone else self.num_classes
                inside &= (target >= limit) & (target < INSTANCE_OFFSET)
            target[inside] = own


def _shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Means over areas, whatever numbers and channels an image has."""
    # OpenCV takes neither every type of number nor every count of channels.
    whole = image.dtype in (np.uint8, np.uint16, np.float32)
    planes = image if whole else image.astype(np.float32)
    planes = planes.reshape(*image.shape[:2], -1)
    small = np.stack(
        [
            cv2.resize(
                np.ascontiguousarray(planes[..., i]),
                size[::-1],
                interpolation=cv2.INTER_AREA,
            )
            for i in range(planes.shape[-1])
        ],
        axis=-1,
    )
    if image.dtype.kind in 'iub':
        small = np.rint(small)
    return small.astype(image.dtype).reshape(*size, *image.shape[2:])


def _resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest neighbours, for labels and masks, shape (h, w)."""
    rows, columns = (
        np.arange(new) * old // new
        for new, old in zip(size, array.shape, strict=True)
    )
    return array[rows[:, None], columns]


def _placed(
    segment: Segment, window: Window, shape: tuple[int, ...]
) -> Segment:
    """Moves a segment from an image of this shape to its window."""
    x1, y1, x2, y2 = window
    start = np.array([x1, y1, x1, y1])
    scale = np.tile([(x2 - x1) / shape[1], (y2 - y1) / shape[0]], 2)
    segment = segment._replace(box=segment.box * scale + start)
    if segment.mask is None:
        return segment
    height, width = segment.mask.shape
    x, y = segment.offset
    corners = np.array([x, y, x + width, y + height]) * scale + start
    left, top, right, bottom = np.rint(corners).astype(int).tolist()
    mask = _resized(segment.mask, (bottom - top, right - left))
    return segment._replace(mask=mask, offset=(left, top))


def _looked_up(scores: Tensor, tile: Tile, size: tuple[int, int]) -> Tensor:
    """Scores of the shrunk image for the pixels of a tile.

    Args:
        scores: shape (C, h, w).
        tile: where to look.
        size: of the image that was shrunk to (h, w).

    Returns:
        Shape (C, height of the window, width of the window).
    """
    x1, y1, x2, y2 = tile.window
    ys, xs = (
        2 * (torch.arange(start, end) + 0.5) / length - 1
        for start, end, length in ((y1, y2, size[0]), (x1, x2, size[1]))
    )
    grid = torch.stack(torch.meshgrid(xs, ys, indexing='xy'), dim=-1)
    return F.grid_sample(
        scores.float()[None],
        grid[None],
        padding_mode='border',
        align_corners=False,
    )[0]
