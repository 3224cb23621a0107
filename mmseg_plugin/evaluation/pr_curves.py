"""Precision-recall curves of instance masks, as pycocotools counts them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO

from mmseg_plugin.evaluation.average_precision import (
    average_precisions,
    curves,
    judged_truth,
    load_results,
)

# Position in COCOeval's ten IoU thresholds 0.50, 0.55, ..., 0.95.
CURVES = {'0.5': slice(0, 1), '0.75': slice(5, 6), '0.5:0.95': slice(0, 10)}
_IOU_THRS = np.linspace(0.5, 0.95, 10)


class MaskPR(NamedTuple):
    """What the masks of one run are worth.

    Attributes:
        recall: the 101 recall points 0, 0.01, ..., 1.
        precision: key of :data:`CURVES` to the precision at each recall
            point, shape (101,), mean over the classes that have objects.
        metrics: ``AP``, ``AP50``, ``AP75``, ``AP_s``, ``AP_m``, ``AP_l`` in
            [0, 1]; -1 where there is no object to find.
    """

    recall: np.ndarray
    precision: dict[str, np.ndarray]
    metrics: dict[str, float]


def mask_pr(
    truth: COCO, results: list[dict], classes: Sequence[str], max_dets: int
) -> MaskPR:
    """Evaluates masks against a COCO annotation file.

    All numbers are taken at ``max_dets``, unlike pycocotools' own summary,
    which always takes the first of them, AP, at 100.

    Args:
        truth: the loaded annotation file; all its images count.
        results: COCO results with ``segmentation`` and ``score``.
        classes: names of the categories that count.
        max_dets: most results that count per image and class.

    Raises:
        ValueError: the truth or a result cannot be judged, see
            :func:`judged_truth` and :func:`load_results`.
    """
    whole, categories = judged_truth(
        truth.dataset, 'the annotation file', classes, ['segm']
    )
    found = load_results(whole, results, 'segm')
    judged = curves(whole, found, 'segm', categories, [max_dets])
    precision = judged['precision'][..., 0]
    values = average_precisions(precision, _IOU_THRS)
    metrics = {
        k[1:].replace('AP_50', 'AP50').replace('AP_75', 'AP75'): v
        for k, v in values.items()
    }
    has_objects = (precision[0, 0, :, 0] > -1).nonzero()[0]
    by_iou = {
        name: precision[ious][:, :, has_objects, 0].mean(axis=(0, 2))
        if len(has_objects)
        else np.full(precision.shape[1], -1.0)
        for name, ious in CURVES.items()
    }
    return MaskPR(np.linspace(0, 1, 101), by_iou, metrics)
