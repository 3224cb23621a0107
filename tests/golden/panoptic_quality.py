"""Panoptic quality of recorded maps."""

import numpy as np

from mmseg_plugin.evaluation.panoptic_quality import (
    Segments,
    overlaps,
    panoptic_quality,
    per_class_quality,
    segment_counts,
)
from tests.golden import Case, runner


def images(case: Case) -> list[str]:
    keys = [k for k in case.arrays if k.endswith('/gt_ids')]
    return [key.removesuffix('gt_ids') for key in keys]


@runner('pq')
def run(case: Case) -> dict:
    categories = case['in/categories']
    position = {int(c): i for i, c in enumerate(categories[:, 0])}

    def labels(column: np.ndarray) -> np.ndarray:
        return np.array([position[int(c)] for c in column], dtype=int)

    counts = np.zeros((len(categories), 4))
    for image in images(case):
        gt, pred = case[image + 'gt_segments'], case[image + 'pred_segments']
        counts += segment_counts(
            overlaps(case[image + 'gt_ids'], case[image + 'pred_ids']),
            Segments(gt[:, 0], labels(gt[:, 1]), gt[:, 2] == 1, gt[:, 3]),
            Segments(pred[:, 0], labels(pred[:, 1])),
            len(categories),
        )
    things = categories[:, 1] == 1
    return {
        'out/per_class': per_class_quality(counts),
        'out/per_class_iou_tp_fp_fn': counts,
        'out/All': np.array(panoptic_quality(counts)),
        'out/Things': np.array(panoptic_quality(counts, things)),
        'out/Stuff': np.array(panoptic_quality(counts, ~things)),
    }
