"""PQ end to end in one process, against the published loop.

Truth is read, segments are matched, images merged. `coco_panoptic_files` reads
the predictions too, in both arms. In `coco_panoptic` they are in memory, as a
metric gets them; the published way has them written and read as PNGs.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from bench_panoptic_quality import NUM_CLASSES, images
from harness import Arms, bench
from peers.panoptic_quality import count_images, quality
from PIL import Image

from mmseg_plugin.datasets.panoptic_files import read_segment_ids
from mmseg_plugin.evaluation import (
    Segments,
    overlaps,
    panoptic_quality,
    segment_counts,
)


def write(folder: Path, name: str, ids: np.ndarray) -> str:
    """A map as COCO's colours; returns its path."""
    colours = np.stack([ids, ids >> 8, ids >> 16], -1) & 255
    path = folder / f'{name}.png'
    cv2.imwrite(str(path), colours[..., ::-1].astype(np.uint8))
    return str(path)


def published_read(path: str) -> np.ndarray:
    """Ids of a map, as panopticapi reads them."""
    colours = np.array(Image.open(path), dtype=np.uint32)
    return colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]


def arms(height: int, width: int, from_files: bool) -> Arms:
    maps = images(height, width)
    folder = tempfile.TemporaryDirectory()
    files = [
        (
            write(Path(folder.name), f'gt{i}', gt_ids),
            write(Path(folder.name), f'pred{i}', pred_ids),
            gt,
            pred,
        )
        for i, (gt_ids, pred_ids, gt, pred) in enumerate(maps)
    ]

    # The folder lives as long as the arms.
    def ours(_folder: object = folder) -> tuple:
        counts = np.zeros((NUM_CLASSES, 4))
        for (_, ids, *_), (gt_path, pred_path, gt, pred) in zip(
            maps, files, strict=True
        ):
            found = read_segment_ids(pred_path) if from_files else ids
            counts += segment_counts(
                overlaps(read_segment_ids(gt_path), found),
                Segments(gt[:, 0], gt[:, 1], gt[:, 2] == 1, gt[:, 3]),
                Segments(pred[:, 0], pred[:, 1]),
                NUM_CLASSES,
            )
        return panoptic_quality(counts)

    def peer() -> tuple:
        if not from_files:
            for i, (_, ids, *_) in enumerate(maps):
                write(Path(folder.name), f'pred{i}', ids)
        read = [
            (published_read(gt_path), published_read(pred_path), gt, pred)
            for gt_path, pred_path, gt, pred in files
        ]
        return quality(list(count_images(read).values()))

    np.testing.assert_allclose(ours(), peer(), rtol=1e-9)
    return Arms(ours, peer)


bench('coco_panoptic_480x640', 'published loop', 3)(
    lambda: arms(480, 640, from_files=False)
)
bench('coco_panoptic_files_480x640', 'published loop', 3)(
    lambda: arms(480, 640, from_files=True)
)
