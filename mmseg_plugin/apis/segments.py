"""Results of any model as one list of segments per kind of result."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from pycocotools import mask as mask_utils

# mmdet's panoptic ids are label + 1000 * (number of the instance).
INSTANCE_OFFSET = 1000


class Segment(NamedTuple):
    """An object, or a region of one class.

    Attributes:
        label: index of the class.
        mask: shape (h, w), bool, of the image or a part of it; None from a
            model without masks.
        box: x1, y1, x2, y2 in pixels, shape (4,).
        score: in [0, 1]; None for annotations and for regions.
        offset: column and row of the image where the mask starts.
        crowd: a group of objects that nobody has told apart.
    """

    label: int
    mask: np.ndarray | None
    box: np.ndarray
    score: float | None = None
    offset: tuple[int, int] = (0, 0)
    crowd: bool = False

    def whole_mask(self, size: tuple[int, int]) -> np.ndarray:
        """The mask of all of the image, bool.

        Args:
            size: height and width of the image.

        Raises:
            ValueError: there is no mask, or it does not fit.
        """
        if self.mask is None:
            raise ValueError('the segment has no mask')
        whole = np.zeros(size, bool)
        x, y = self.offset
        height, width = self.mask.shape
        whole[y : y + height, x : x + width] = self.mask
        return whole

    def cropped(self) -> 'Segment':
        """The same with no more of the mask than its pixels need."""
        if self.mask is None:
            return self
        x1, y1, x2, y2 = box_of(self.mask).astype(int).tolist()
        x, y = self.offset
        # A copy, so that the larger mask can be freed.
        mask = self.mask[y1:y2, x1:x2].copy()
        return self._replace(mask=mask, offset=(x + x1, y + y1))


def box_of(mask: np.ndarray) -> np.ndarray:
    """Box x1, y1, x2, y2 around a mask, shape (h, w), that is not empty."""
    ys, xs = np.nonzero(mask)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)


def segments_of(
    result: BaseDataElement, num_classes: int
) -> dict[str, list[Segment]]:
    """Takes a data sample of mmdet or mmseg, on the CPU, apart.

    Args:
        result: what the model gave for one image.
        num_classes: ids from here on are void in panoptic and semantic maps.

    Returns:
        ``'instances'``, ``'panoptic'`` and ``'semantic'``, whichever the
        model gave.
    """
    kinds = {}
    if 'pred_instances' in result:
        kinds['instances'] = instances_of(result.pred_instances)
    if 'pred_panoptic_seg' in result:
        ids = id_map(result.pred_panoptic_seg)
        kinds['panoptic'] = regions_of(ids, num_classes, INSTANCE_OFFSET)
    if 'pred_sem_seg' in result:
        ids = id_map(result.pred_sem_seg)
        kinds['semantic'] = regions_of(ids, num_classes)
    return kinds


def instances_of(found: InstanceData) -> list[Segment]:
    """Takes apart the instances of one image, on the CPU."""
    masks = masks_of(found) if 'masks' in found else [None] * len(found)
    segments = []
    for label, mask, box, score in zip(
        found.labels.tolist(),
        masks,
        found.bboxes.numpy(),
        found.scores.tolist(),
        strict=True,
    ):
        if mask is not None and not mask.any():
            continue
        # Query models leave their boxes zero.
        if mask is not None and not box.any():
            box = box_of(mask)
        segments.append(Segment(label, mask, box, score))
    return segments


def masks_of(found: InstanceData) -> np.ndarray:
    """Masks of instances on the CPU, bool (n, h, w).

    Args:
        found: with ``masks``, a tensor or, as ``test_cfg.rle=True`` gives
            them, a list of compressed RLE.
    """
    masks = found.masks
    if isinstance(masks, list):
        # Of no instance not even the size is known.
        if not masks:
            return np.zeros((0, 0, 0), bool)
        return np.stack([mask_utils.decode(m).astype(bool) for m in masks])
    return masks.numpy()


def id_map(pixels: PixelData) -> np.ndarray:
    """Ids of a panoptic or semantic result, shape (h, w), int."""
    # mmdet and mmseg give the map, shape (1, h, w), two names.
    labels = pixels.sem_seg if 'sem_seg' in pixels else pixels.data
    return labels[0].numpy().astype(int)


def regions_of(
    ids: np.ndarray, num_classes: int, offset: int | None = None
) -> list[Segment]:
    """Takes a map of ids apart.

    Args:
        ids: index of the class, in panoptic maps of things plus ``offset``
            times the number of the object, shape (h, w).
        num_classes: classes from here on are void.
        offset: None in semantic maps.
    """
    segments = []
    for i in np.unique(ids).tolist():
        label = i if offset is None else i % offset
        if 0 <= label < num_classes:
            mask = ids == i
            segments.append(Segment(label, mask, box_of(mask)))
    return segments


def coco_results(
    segments: Sequence[Segment],
    image_id: int | str,
    category_ids: Sequence[int],
    classes: Sequence[str],
    size: tuple[int, int],
) -> list[dict]:
    """Segments in COCO's results format, masks as compressed RLE.

    Args:
        segments: of one image.
        image_id: id of the image.
        category_ids: id of each class.
        classes: name of each class, added as ``category_name``.
        size: height and width of the image.
    """
    rows = []
    for segment in segments:
        label, score = segment.label, segment.score
        x1, y1, x2, y2 = segment.box
        row: dict[str, Any] = {
            'image_id': image_id,
            'category_id': category_ids[label],
            'category_name': classes[label],
            'bbox': [float(v) for v in (x1, y1, x2 - x1, y2 - y1)],
            'score': 1.0 if score is None else score,
        }
        if segment.mask is not None:
            mask = segment.whole_mask(size)
            rle = mask_utils.encode(np.asfortranarray(mask, np.uint8))
            row['segmentation'] = {
                'size': rle['size'],
                'counts': rle['counts'].decode(),
            }
        rows.append(row)
    return rows
