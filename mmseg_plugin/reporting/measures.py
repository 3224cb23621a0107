"""AP, PQ and IoU of a run, and by class, from the records of images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmseg_plugin.evaluation.average_precision import (
    average_precisions,
    curves,
    judged_truth,
    load_results,
)
from mmseg_plugin.evaluation.panoptic_quality import (
    Segments,
    overlaps,
    panoptic_quality,
    per_class_quality,
    segment_counts,
)
from mmseg_plugin.reporting.records import ImageRecord, Judged, label_map

IOU_THRS = np.linspace(0.5, 0.95, 10)


class Measured(NamedTuple):
    """What the results of a run are worth.

    Attributes:
        name: of the main measure: AP, PQ or mIoU.
        total: its value in [0, 1]; NaN where there is nothing to find.
        rows: values by name for each class, in [0, 1], NaN without objects.
        sizes: values by size of the object; empty where there are none.
        precision: (IoU, recall, class, area) of pycocotools; None without.
    """

    name: str
    total: float
    rows: list[dict[str, float]]
    sizes: dict[str, float]
    precision: np.ndarray | None = None


def coco_content(judged: Judged) -> dict:
    """The truth as a COCO instance file; ids of categories are labels."""
    images: list[dict] = []
    annotations: list[dict] = []
    for number, record in enumerate(judged.images):
        height, width = record.size
        images.append({'id': number, 'height': height, 'width': width})
        for region in record.truth:
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': region.label,
                    'segmentation': region.rle,
                    'iscrowd': int(region.crowd),
                }
            )
    categories = [
        {'id': i, 'name': name} for i, name in enumerate(judged.classes)
    ]
    return {
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


def coco_rows(judged: Judged) -> list[dict]:
    """The results in COCO's format; see :func:`coco_content`."""
    return [
        {
            'image_id': number,
            'category_id': region.label,
            'segmentation': region.rle,
            'score': region.score,
        }
        for number, record in enumerate(judged.images)
        for region in record.found
        if region.score is not None
    ]


def _nan(value: float) -> float:
    return value if value > -1 else float('nan')


def measure_instances(judged: Judged) -> Measured:
    """AP as COCO counts it, on masks."""
    content = coco_content(judged)
    names = list(judged.classes)
    truth, ids = judged_truth(content, 'the report', names, ['segm'])
    found = load_results(truth, coco_rows(judged), 'segm')
    done = curves(truth, found, 'segm', ids, [judged.max_dets])
    precision = done['precision'][..., 0]
    values = average_precisions(precision, IOU_THRS)
    rows = []
    for i in range(len(names)):
        one = average_precisions(precision[:, :, i : i + 1], IOU_THRS)
        rows.append({'AP': _nan(one['mAP']), 'AP50': _nan(one['mAP_50'])})
    sizes = {
        name: _nan(values[f'mAP_{name[0]}'])
        for name in ('small', 'medium', 'large')
    }
    return Measured('AP', _nan(values['mAP']), rows, sizes, precision)


def panoptic_counts(record: ImageRecord, num_classes: int) -> np.ndarray:
    """Counts (C, 4) of one image, see :func:`segment_counts`."""
    truth = label_map(record.truth, record.size, 1)
    found = label_map(record.found, record.size, 1)
    seen, listed = np.unique(found), np.unique(truth)
    seen, listed = seen[seen > 0], listed[listed > 0]
    gt = Segments(
        listed,
        np.array([record.truth[i - 1].label for i in listed], int),
        np.array([record.truth[i - 1].crowd for i in listed], bool),
    )
    pred = Segments(
        seen, np.array([record.found[i - 1].label for i in seen], int)
    )
    return segment_counts(overlaps(truth, found), gt, pred, num_classes)


def measure_panoptic(judged: Judged) -> Measured:
    """PQ, SQ and RQ."""
    size = len(judged.classes)
    counts = sum(
        (panoptic_counts(record, size) for record in judged.images),
        np.zeros((size, 4)),
    )
    there = counts[:, 1:].sum(1) > 0
    rows = [
        dict(zip(('PQ', 'SQ', 'RQ'), row, strict=True))
        if known
        else dict.fromkeys(('PQ', 'SQ', 'RQ'), float('nan'))
        for row, known in zip(
            per_class_quality(counts).tolist(), there, strict=True
        )
    ]
    return Measured('PQ', panoptic_quality(counts).pq, rows, {})


def pixel_confusion(record: ImageRecord, num_classes: int) -> np.ndarray:
    """Pixels (C + 1, C + 1) of one image, truth by result; the last is void.

    Void of the truth is left out.
    """
    maps = []
    for regions in (record.truth, record.found):
        ids = label_map(regions, record.size)
        labels = [*(region.label for region in regions), num_classes]
        maps.append(np.array(labels)[ids])
    truth, found = maps
    size = num_classes + 1
    places = (truth * size + found)[truth < num_classes]
    return np.bincount(places, minlength=size**2).reshape(size, size)


def semantic_counts(record: ImageRecord, num_classes: int) -> np.ndarray:
    """Pixels (C, 2) of one image: in both maps, in either; void left out."""
    pixels = pixel_confusion(record, num_classes)
    shared = np.diag(pixels)
    either = pixels.sum(1) + pixels.sum(0) - shared
    return np.stack((shared, either), 1)[:num_classes].astype(float)


def measure_semantic(judged: Judged) -> Measured:
    """IoU of classes, and their mean."""
    size = len(judged.classes)
    counts = sum(
        (semantic_counts(record, size) for record in judged.images),
        np.zeros((size, 2)),
    )
    iou = iou_of(counts)
    rows = [{'IoU': value} for value in iou.tolist()]
    total = float(np.nanmean(iou)) if (counts[:, 1] > 0).any() else np.nan
    return Measured('mIoU', total, rows, {})


def iou_of(counts: np.ndarray) -> np.ndarray:
    """IoU (..., C) of counts (..., C, 2); NaN for a class that is nowhere."""
    shared, either = counts[..., 0], counts[..., 1]
    nothing = np.full(shared.shape, np.nan)
    return np.divide(shared, either, where=either > 0, out=nothing)


def measure(judged: Judged) -> Measured:
    """What fits the kind of the results."""
    return {
        'instances': measure_instances,
        'panoptic': measure_panoptic,
        'semantic': measure_semantic,
    }[judged.kind](judged)


def objects_by_class(
    images: Sequence[ImageRecord], num_classes: int
) -> np.ndarray:
    """Objects and images with any, (C, 2)."""
    counts = np.zeros((num_classes, 2), int)
    for record in images:
        labels = [t.label for t in record.truth if not t.crowd]
        own = np.bincount(labels, minlength=num_classes).astype(int)
        counts[:, 0] += own
        counts[:, 1] += own > 0
    return counts
