"""Average precision as pycocotools counts it, at one number of detections.

pycocotools' own summary takes AP at 100 detections and AP50 at the largest
number; here all of them are taken at the largest.
"""

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseg_plugin.datasets.annotation_files import (
    category_ids,
    completed_truth,
)
from mmseg_plugin.datasets.annotations import checked_rle

# Places of COCOeval's area ranges.
AREAS = {'': 0, '_s': 1, '_m': 2, '_l': 3}


def indexed(content: dict) -> COCO:
    """pycocotools' view of an annotation file's content."""
    truth = COCO()
    truth.dataset = {'annotations': [], **content}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def judged_truth(
    content: dict,
    source: object,
    classes: Iterable[str],
    kinds: Iterable[str] = (),
) -> tuple[COCO, list[int]]:
    """A truth that pycocotools judges rightly, and the ids of classes.

    Args:
        content: of an instance file.
        source: the file.
        classes: names; those that the file lacks get ids that it does not
            use.
        kinds: of ``'bbox'`` and ``'segm'``, what is judged.

    Raises:
        ValueError: see :func:`completed_truth`; no category is a class, or
            an object lacks what is judged.
    """
    classes = list(classes)
    if set(classes).isdisjoint(category_ids(content, source)):
        raise ValueError(
            f'no category of {source} is one of the classes '
            f'({", ".join(map(str, classes[:5]))})'
        )
    ids = category_ids(content, source, classes)
    wanted = [ids[name] for name in classes]
    whole = completed_truth(content, source)
    fields = {'segm': 'segmentation', 'bbox': 'bbox'}
    for field in (fields[kind] for kind in kinds if kind in fields):
        _require(whole['annotations'], field, set(wanted), source)
    return indexed(whole), wanted


def _require(
    annotations: Iterable[Mapping],
    field: str,
    categories: set[int],
    source: object,
) -> None:
    for annotation in annotations:
        if field in annotation or annotation['category_id'] not in categories:
            continue
        name = 'mask' if field == 'segmentation' else 'box'
        raise ValueError(
            f'{source}: annotation {annotation["file_id"]} of image '
            f'{annotation["image_id"]} has no {name} to be judged by: draw '
            'it or take it out'
        )


def load_results(truth: COCO, results: Sequence[dict], kind: str) -> COCO:
    """Checked results beside their truth.

    Args:
        truth: see :func:`judged_truth`.
        results: in COCO's format.
        kind: ``'bbox'`` or ``'segm'``.

    Raises:
        ValueError: a result is of an image that the truth does not list, has
            no finite score, lacks its mask or box, or its RLE does not fit
            the image.
    """
    if not results:
        # pycocotools cannot load an empty list.
        return indexed({**truth.dataset, 'annotations': []})
    kept = []
    for place, result in enumerate(results):
        image = truth.imgs.get(result['image_id'])
        if image is None:
            raise ValueError(
                f'image {result["image_id"]} of the results is not in the '
                'annotation file'
            )
        where = f'result {place} of image {result["image_id"]}'
        if not np.isfinite(result.get('score', np.nan)):
            raise ValueError(f'{where} has no finite score')
        row = {k: result[k] for k in ('image_id', 'category_id', 'score')}
        if kind == 'bbox':
            row['bbox'] = result['bbox']
        elif not result.get('segmentation'):
            raise ValueError('the results hold boxes without masks')
        else:
            # With a box pycocotools would sort by the box's area.
            size = (image['height'], image['width'])
            row['segmentation'] = checked_rle(
                result['segmentation'], size, where
            )
        kept.append(row)
    with contextlib.redirect_stdout(io.StringIO()):
        return truth.loadRes(kept)


def curves(
    truth: COCO,
    found: COCO,
    kind: str,
    categories: Sequence[int],
    max_dets: Sequence[int],
    iou_thrs: Sequence[float] | None = None,
    evaluator: type[COCOeval] = COCOeval,
) -> dict[str, np.ndarray]:
    """Precision and recall.

    Args:
        truth: see :func:`judged_truth`.
        found: see :func:`load_results`.
        kind: ``'bbox'`` or ``'segm'``.
        categories: ids, in the order of the result.
        max_dets: numbers of detections of an image and class that count, in
            ascending order.
        iou_thrs: thresholds; COCO's ten if None.
        evaluator: class to count with.

    Returns:
        ``precision`` (IoU, recall, class, area, max_dets) and ``recall``
        (IoU, class, area, max_dets), -1 where there is no object.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        judge = evaluator(truth, found, kind)
        judge.params.catIds = list(categories)
        judge.params.imgIds = sorted(truth.imgs, key=str)
        judge.params.maxDets = list(max_dets)
        if iou_thrs is not None:
            judge.params.iouThrs = np.atleast_1d(iou_thrs)
        judge.evaluate()
        judge.accumulate()
    return {key: judge.eval[key] for key in ('precision', 'recall')}


def mean(values: np.ndarray) -> float:
    """Mean where there is an object to find, -1 if there is none."""
    valid = values[values > -1]
    return float(valid.mean()) if valid.size else -1.0


def at_iou(iou_thrs: np.ndarray, iou: float) -> np.ndarray:
    """Places, bool (n,), of a threshold; none where it is not used."""
    return np.isclose(iou_thrs, iou)


def average_precisions(
    precision: np.ndarray, iou_thrs: np.ndarray
) -> dict[str, float]:
    """``mAP``, ``mAP_50``, ``mAP_75``, ``mAP_s``, ``mAP_m``, ``mAP_l``.

    Args:
        precision: (IoU, recall, class, area), see :func:`curves`.
        iou_thrs: (IoU,).

    Returns:
        In [0, 1]; -1 where there is no object, or no such threshold.
    """
    values = {
        f'mAP{name}': mean(precision[..., area])
        for name, area in AREAS.items()
    }
    for iou in (50, 75):
        places = at_iou(iou_thrs, iou / 100)
        values[f'mAP_{iou}'] = mean(precision[places][..., 0])
    return values
