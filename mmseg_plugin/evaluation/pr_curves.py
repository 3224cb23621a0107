"""Precision-recall curves of instance masks, as pycocotools counts them."""

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

# Position in COCOeval's ten IoU thresholds 0.50, 0.55, ..., 0.95.
CURVES = {'0.5': slice(0, 1), '0.75': slice(5, 6), '0.5:0.95': slice(0, 10)}
_AREAS = {'AP': 0, 'AP_s': 1, 'AP_m': 2, 'AP_l': 3}


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
        ValueError: a result is of an image that ``truth`` does not list, or
            has no mask.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        found = _load_results(truth, results)
        coco_eval = COCOeval(truth, found, 'segm')
        coco_eval.params.catIds = truth.getCatIds(catNms=list(classes))
        coco_eval.params.maxDets = [max_dets]
        coco_eval.evaluate()
        coco_eval.accumulate()
    # (IoU, recall, class, area range, max_dets) to the first four.
    precision = coco_eval.eval['precision'][..., 0]
    metrics = {
        name: _mean(precision[..., area]) for name, area in _AREAS.items()
    }
    metrics['AP50'] = _mean(precision[CURVES['0.5'], ..., 0])
    metrics['AP75'] = _mean(precision[CURVES['0.75'], ..., 0])
    has_objects = (precision[0, 0, :, 0] > -1).nonzero()[0]
    curves = {
        name: precision[ious][:, :, has_objects, 0].mean(axis=(0, 2))
        if len(has_objects)
        else np.full(precision.shape[1], -1.0)
        for name, ious in CURVES.items()
    }
    return MaskPR(coco_eval.params.recThrs, curves, metrics)


def _load_results(truth: COCO, results: list[dict]) -> COCO:
    unknown = {r['image_id'] for r in results} - set(truth.imgs)
    if unknown:
        raise ValueError(
            f'image {min(unknown, key=str)} of the results is not in the '
            'annotation file'
        )
    if any('segmentation' not in result for result in results):
        raise ValueError('the results hold boxes without masks')
    if not results:
        # pycocotools cannot load an empty list.
        empty = COCO()
        empty.dataset = {**truth.dataset, 'annotations': []}
        empty.createIndex()
        return empty
    # With a box pycocotools would sort by the box's area, not the mask's.
    return truth.loadRes(
        [{k: v for k, v in r.items() if k != 'bbox'} for r in results]
    )


def _mean(precision: np.ndarray) -> float:
    valid = precision[precision > -1]
    return float(valid.mean()) if valid.size else -1.0
