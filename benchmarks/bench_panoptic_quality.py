"""Panoptic quality of in-memory maps, against the published loop."""

import numpy as np
from harness import Arms, bench
from peers.panoptic_quality import count_images, quality

from mmseg_plugin.evaluation import (
    Segments,
    overlaps,
    panoptic_quality,
    segment_counts,
)

NUM_CLASSES, NUM_SEGMENTS, NUM_IMAGES = 20, 24, 4


def images(height: int, width: int) -> list[tuple]:
    """Cells around random centres; the prediction has them moved a little."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(NUM_IMAGES):
        centres = random.random((NUM_SEGMENTS, 2)) * (height, width)
        moved = centres + random.normal(0, height / 60, centres.shape)
        maps = []
        for points in (centres, moved):
            rows = (np.arange(height)[:, None] - points[:, 0]) ** 2
            cols = (np.arange(width)[:, None] - points[:, 1]) ** 2
            maps.append(
                np.stack([(r + cols).argmin(1) for r in rows]).astype(np.int32)
            )
        # Ids as in COCO's ground truth and in our predictions; 0 is void.
        gt_ids = maps[0] * 699051
        pred_ids = maps[1] * 1000
        labels = random.integers(0, NUM_CLASSES, NUM_SEGMENTS)
        present, areas = np.unique(gt_ids, return_counts=True)
        gt_rows = [
            (i, labels[i // 699051], 0, area)
            for i, area in zip(present, areas, strict=True)
            if i
        ]
        pred_rows = [(i, labels[i // 1000]) for i in np.unique(pred_ids) if i]
        found.append(
            (gt_ids, pred_ids, np.array(gt_rows), np.array(pred_rows))
        )
    return found


def arms(height: int, width: int) -> Arms:
    data = images(height, width)

    def ours() -> tuple:
        counts = np.zeros((NUM_CLASSES, 4))
        for gt_ids, pred_ids, gt, pred in data:
            counts += segment_counts(
                overlaps(gt_ids, pred_ids),
                Segments(gt[:, 0], gt[:, 1], gt[:, 2] == 1, gt[:, 3]),
                Segments(pred[:, 0], pred[:, 1]),
                NUM_CLASSES,
            )
        return panoptic_quality(counts)

    def peer() -> tuple:
        return quality(list(count_images(data).values()))

    np.testing.assert_allclose(ours(), peer(), rtol=1e-9)
    assert 0.2 < ours()[0] < 1
    return Arms(ours, peer)


for _size in ((480, 640), (1024, 2048)):
    bench('panoptic_quality_{}x{}'.format(*_size), 'published loop', 5)(
        lambda size=_size: arms(*size)
    )
