"""The truth of single images, read and compared with a prediction."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET

from mmseg_plugin.datasets.panoptic_fields import area_fits
from mmseg_plugin.datasets.panoptic_files import (
    check_present,
    read_segment_ids,
)
from mmseg_plugin.evaluation.panoptic_quality import (
    VOID,
    Overlaps,
    Segments,
    overlaps,
    segment_counts,
)


def labels_of(ids: np.ndarray) -> np.ndarray:
    """Classes of predicted ids, encoded + 1."""
    return (ids - 1) % INSTANCE_OFFSET


def check_truth(samples: Iterable[Mapping], key: str) -> None:
    """Asks for the truth in samples, where no file has it.

    Args:
        samples: of a batch.
        key: under which the pipeline packs it.

    Raises:
        ValueError: a sample has none.
    """
    for sample in samples:
        if key not in sample:
            raise ValueError(
                f'image {sample.get("img_id")} has no truth to be judged by: '
                f"set ann_file of the metric, or list '{key}' in meta_keys of "
                'PackDetInputs'
            )


class ImageJob(NamedTuple):
    """What is needed to match one image, in any process."""

    path: str
    backend_args: dict | None
    gt: Segments
    pred_ids: np.ndarray
    num_classes: int


def image_counts(job: ImageJob) -> np.ndarray:
    """Reads the ground truth of one image and matches it."""
    met = truth_overlaps(job.path, job.backend_args, job.gt, job.pred_ids)
    found = np.unique(met.pred)
    found = found[found != VOID]
    pred = Segments(found, labels_of(found))
    return segment_counts(met, job.gt, pred, job.num_classes)


def truth_overlaps(
    path: str, backend_args: dict | None, gt: Segments, pred_ids: np.ndarray
) -> Overlaps:
    """Common pixels of a prediction and of the truth, which is read.

    Args:
        path: of the map.
        backend_args: see :func:`mmengine.fileio.get`.
        gt: listed segments.
        pred_ids: int (H, W).

    Raises:
        ValueError: the map is none, is of another size, lacks a listed
            segment that has an area, or has another area of it: IoUs are
            taken with the listed ones, and would be beyond 1.
    """
    gt_ids = read_segment_ids(path, backend_args)
    try:
        met = overlaps(gt_ids, pred_ids)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    listed = gt.ids if gt.areas is None else gt.ids[gt.areas != 0]
    present, places = np.unique(met.gt, return_inverse=True)
    check_present(path, listed, present)
    if gt.areas is not None:
        pixels = np.bincount(places, met.pixels, len(present)).astype(int)
        _check_areas(
            path, gt, dict(zip(present.tolist(), pixels, strict=True))
        )
    return met


def _check_areas(path: str, gt: Segments, pixels: dict[int, int]) -> None:
    crowd = np.zeros(len(gt.ids), bool) if gt.crowd is None else gt.crowd
    areas = () if gt.areas is None else gt.areas.tolist()
    for i, area, free in zip(gt.ids.tolist(), areas, crowd, strict=True):
        if not free and not area_fits(area, pixels.get(i, 0)):
            raise ValueError(
                f'{path} has {pixels.get(i, 0)} pixels of id {i}, whose area '
                f'is listed as {area}: write the areas anew ("mmseg-plugin '
                'check DATA --fix OUT")'
            )
