"""Average precision as pycocotools counts it, at one number of detections.

pycocotools' own summary takes AP at 100 detections and AP50 at the largest
number; here all of them are taken at the largest.
"""

import contextlib
import io
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseg_plugin.datasets.annotation_files import (
    category_ids,
    completed_truth,
)
from mmseg_plugin.datasets.annotations import checked_rle
from mmseg_plugin.datasets.rle_batches import rles_fit
from mmseg_plugin.datasets.structure import is_number, short
from mmseg_plugin.evaluation.coco_backends import (
    Question,
    answer,
    by_pycocotools,
    chosen,
    indexed,
    numbered,
)

COCO_IOU_THRS = np.linspace(0.5, 0.95, 10)
# Places of COCOeval's area ranges.
AREAS = {'': 0, '_s': 1, '_m': 2, '_l': 3}


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
        kinds: what is judged, see :class:`Question`.

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
    fields = {
        'segm': 'segmentation',
        'boundary': 'segmentation',
        'bbox': 'bbox',
    }
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


def load_results(
    truth: COCO, results: Sequence[dict], kind: str
) -> list[dict]:
    """Results that can be judged, with what they are judged by.

    Args:
        truth: see :func:`judged_truth`.
        results: in COCO's format; RLEs may be compressed or not.
        kind: see :class:`Question`.

    Raises:
        ValueError: a result is of an image that the truth does not list, has
            no finite score, lacks its mask or box, or its RLE does not fit
            the image.
    """
    check_rows(results)
    kept = []
    for place, result in enumerate(results):
        if result['image_id'] not in truth.imgs:
            raise ValueError(
                f'image {result["image_id"]} of the results is not in the '
                'annotation file'
            )
        if not is_number(result.get('score')):
            raise ValueError(f'{_place(place, result)} has no finite score')
        row = {
            'image_id': result['image_id'],
            'category_id': result['category_id'],
            'score': float(result['score']),
        }
        # With a box beside the mask the box's area would be that of the mask.
        if kind == 'bbox':
            row['bbox'] = result['bbox']
        elif isinstance(shape := result.get('segmentation'), dict) and shape:
            row['segmentation'] = shape
        elif shape:
            raise ValueError(
                f'{_place(place, result)}: its segmentation is {short(shape)},'
                ' not an RLE'
            )
        else:
            raise ValueError('the results hold boxes without masks')
        kept.append(row)
    if kind != 'bbox':
        _check_rles(truth, kept)
    return kept


def check_rows(results: Sequence[dict]) -> None:
    """Refuses what is not built as COCO's results.

    Args:
        results: of a file.

    Raises:
        ValueError: a row is no object, or has no image or category.
    """
    for place, result in enumerate(results):
        if not isinstance(result, dict):
            raise ValueError(
                f'result {place} is {short(result)}, not an object'
            )
        for key in ('image_id', 'category_id'):
            value = result.get(key)
            if value is None or not isinstance(value, Hashable):
                raise ValueError(
                    f'result {place}: its {key} is {short(value)}'
                )


def _place(place: int, result: Mapping) -> str:
    return f'result {place} of image {result["image_id"]}'


def _check_rles(truth: COCO, rows: Sequence[dict]) -> None:
    """Checks the masks, and leaves them compressed to text."""
    sizes = {
        key: [int(image['height']), int(image['width'])]
        for key, image in truth.imgs.items()
    }
    texts, pixels, places = [], [], []
    for place, row in enumerate(rows):
        size, rle = sizes[row['image_id']], row['segmentation']
        counts = rle.get('counts')
        if isinstance(counts, bytes):
            counts = counts.decode('ascii', 'replace')
        if isinstance(counts, str) and list(rle.get('size') or ()) == size:
            row['segmentation'] = {'size': size, 'counts': counts}
            texts.append(counts)
            pixels.append(size[0] * size[1])
            places.append(place)
        else:
            row['segmentation'] = checked_rle(rle, size, _place(place, row))
    for i in np.flatnonzero(~rles_fit(texts, pixels)).tolist():
        row = rows[places[i]]
        rle = row['segmentation']
        checked_rle(rle, rle['size'], _place(places[i], row))


def curves(
    truth: COCO,
    found: Sequence[dict],
    kind: str,
    categories: Sequence[int],
    max_dets: Sequence[int],
    iou_thrs: Sequence[float] | None = None,
    backend: str | type[COCOeval] = 'auto',
) -> dict[str, np.ndarray]:
    """Precision and recall.

    Args:
        truth: see :func:`judged_truth`.
        found: see :func:`load_results`.
        kind: see :class:`Question`.
        categories: ids, in the order of the result.
        max_dets: numbers of detections of an image and class that count, in
            ascending order.
        iou_thrs: thresholds; COCO's ten if None.
        backend: see :func:`chosen`, or a class to count with.

    Returns:
        ``precision`` (IoU, recall, class, area, max_dets) and ``recall``
        (IoU, class, area, max_dets), -1 where there is no object.
    """
    content, rows = numbered(truth, found, categories)
    thresholds = COCO_IOU_THRS if iou_thrs is None else np.atleast_1d(iou_thrs)
    question = Question(content, rows, kind, list(max_dets), thresholds)
    if not isinstance(backend, str):
        with contextlib.redirect_stdout(io.StringIO()):
            done = by_pycocotools(question, backend)
        return {key: done[key] for key in ('precision', 'recall')}
    # Others refuse to load no results.
    if rows:
        return answer(question, chosen(backend, kind))
    return answer(question._replace(kind='bbox'), 'pycocotools')


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
