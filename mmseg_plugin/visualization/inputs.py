"""Training samples after augmentation, as a model is given them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmdet.structures.bbox import get_box_tensor
from torch import Tensor

from mmseg_plugin.apis.segments import Segment, box_of, regions_of
from mmseg_plugin.visualization.drawing import draw_segments

# Pixels around a picture of a sheet.
_GAP = 6


def sample_segments(sample: Any, meta: Mapping[str, Any]) -> list[Segment]:
    """Annotations of a data sample of mmdet or mmseg.

    Args:
        sample: with ``gt_instances`` or ``gt_sem_seg``.
        meta: of the data set: ``classes``, and ``thing_classes`` where
            things are instances and the rest is in the map.
    """
    segments = []
    count = len(meta['classes'])
    things = 0
    # Without a step that loads them there are no labels.
    if 'labels' in sample.get('gt_instances', ()):
        segments = _instances(sample.gt_instances)
        things = len(meta.get('thing_classes') or ())
    if 'gt_sem_seg' in sample:
        labels = sample.gt_sem_seg
        ids = labels.sem_seg if 'sem_seg' in labels else labels.data
        regions = regions_of(np.asarray(ids).reshape(ids.shape[-2:]), count)
        segments += [r for r in regions if r.label >= things]
    return segments


def _instances(found: Any) -> list[Segment]:
    boxes = None
    if 'bboxes' in found:
        boxes = np.asarray(get_box_tensor(found.bboxes))
    masks = found.get('masks')
    if masks is not None:
        masks = np.asarray(getattr(masks, 'masks', masks)).astype(bool)
    segments = []
    for i, label in enumerate(np.asarray(found.labels).tolist()):
        mask = masks[i] if masks is not None else None
        # Cut off by augmentation.
        if mask is not None and not mask.any():
            continue
        if mask is not None:
            segments.append(Segment(label, mask, box_of(mask)))
        elif boxes is not None:
            segments.append(Segment(label, None, boxes[i]))
    return segments


def draw_input(
    image: Tensor, sample: Any, meta: Mapping[str, Any], title: str = ''
) -> np.ndarray:
    """One image with its annotations, BGR (h, w, 3), uint8.

    Args:
        image: ``inputs`` of a pipeline, (channels, h, w).
        sample: its data sample.
        meta: see :func:`sample_segments`.
        title: written above.
    """
    pixels = image.permute(1, 2, 0).cpu().numpy()
    segments = sample_segments(sample.cpu(), meta)
    return draw_segments(pixels, segments, meta['classes'], title)


def contact_sheet(
    pictures: Sequence[np.ndarray],
    columns: int | None = None,
    width: int = 640,
) -> np.ndarray:
    """Pictures in rows, each of one width.

    Args:
        pictures: BGR (h, w, 3), uint8.
        columns: pictures a row; None: about as many as rows.
        width: of a picture, in pixels.
    """
    columns = columns or math.ceil(len(pictures) ** 0.5)
    small = []
    for one in pictures:
        height = max(1, round(one.shape[0] * width / one.shape[1]))
        size = (width, height)
        small.append(cv2.resize(one, size, interpolation=cv2.INTER_AREA))
    columns = min(columns, len(small))
    rows = []
    for start in range(0, len(small), columns):
        row = small[start : start + columns]
        height = max(one.shape[0] for one in row) + _GAP
        line = np.full((height, columns * (width + _GAP), 3), 255, np.uint8)
        for place, one in enumerate(row):
            x = place * (width + _GAP)
            line[: one.shape[0], x : x + width] = one
        rows.append(line)
    return np.concatenate(rows)
