"""Results of any model as one list of segments per kind of result."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from pycocotools import mask as mask_utils

# mmdet's panoptic ids are label + 1000 * (number of the instance).
_INSTANCE_OFFSET = 1000


class Segment(NamedTuple):
    """An object, or a region of one class.

    Attributes:
        label: index of the class.
        mask: shape (h, w), bool; None from a model without masks.
        box: x1, y1, x2, y2 in pixels, shape (4,).
        score: in [0, 1]; None for annotations and for regions.
    """

    label: int
    mask: np.ndarray | None
    box: np.ndarray
    score: float | None = None


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
        kinds['instances'] = _instances(result.pred_instances)
    if 'pred_panoptic_seg' in result:
        kinds['panoptic'] = _regions(result.pred_panoptic_seg, num_classes)
    if 'pred_sem_seg' in result:
        kinds['semantic'] = _regions(result.pred_sem_seg, num_classes)
    return kinds


def _instances(found: InstanceData) -> list[Segment]:
    masks = found.masks.numpy() if 'masks' in found else [None] * len(found)
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


def _regions(pixels: PixelData, num_classes: int) -> list[Segment]:
    # mmdet and mmseg give the map, shape (1, h, w), two names.
    labels = pixels.sem_seg if 'sem_seg' in pixels else pixels.data
    ids = labels[0].numpy()
    masks = {int(i): ids == i for i in np.unique(ids)}
    return [
        Segment(i % _INSTANCE_OFFSET, mask, box_of(mask))
        for i, mask in masks.items()
        if i % _INSTANCE_OFFSET < num_classes
    ]


def coco_results(
    segments: Sequence[Segment],
    image_id: int | str,
    category_ids: Sequence[int],
    classes: Sequence[str],
) -> list[dict]:
    """Segments in COCO's results format, masks as compressed RLE.

    Args:
        segments: of one image.
        image_id: id of the image.
        category_ids: id of each class.
        classes: name of each class, added as ``category_name``.
    """
    rows = []
    for label, mask, (x1, y1, x2, y2), score in segments:
        row: dict[str, Any] = {
            'image_id': image_id,
            'category_id': category_ids[label],
            'category_name': classes[label],
            'bbox': [float(v) for v in (x1, y1, x2 - x1, y2 - y1)],
            'score': 1.0 if score is None else score,
        }
        if mask is not None:
            rle = mask_utils.encode(np.asfortranarray(mask, np.uint8))
            row['segmentation'] = {
                'size': rle['size'],
                'counts': rle['counts'].decode(),
            }
        rows.append(row)
    return rows
