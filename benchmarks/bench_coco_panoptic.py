"""PQ of PNGs on disk in one process, against the published loop.

Both read truth and prediction, match their segments and merge the images.
"""

import tempfile
from pathlib import Path

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
    Image.fromarray(colours.astype(np.uint8)).save(path)
    return str(path)


def published_read(path: str) -> np.ndarray:
    """Ids of a map, as panopticapi reads them."""
    colours = np.array(Image.open(path), dtype=np.uint32)
    return colours[..., 0] + 256 * colours[..., 1] + 65536 * colours[..., 2]


def arms(height: int, width: int) -> Arms:
    folder = tempfile.TemporaryDirectory()
    files = [
        (
            write(Path(folder.name), f'gt{i}', gt_ids),
            write(Path(folder.name), f'pred{i}', pred_ids),
            gt,
            pred,
        )
        for i, (gt_ids, pred_ids, gt, pred) in enumerate(images(height, width))
    ]

    # The folder lives as long as the arms.
    def ours(_folder: object = folder) -> tuple:
        counts = np.zeros((NUM_CLASSES, 4))
        for gt_path, pred_path, gt, pred in files:
            counts += segment_counts(
                overlaps(
                    read_segment_ids(gt_path), read_segment_ids(pred_path)
                ),
                Segments(gt[:, 0], gt[:, 1], gt[:, 2] == 1, gt[:, 3]),
                Segments(pred[:, 0], pred[:, 1]),
                NUM_CLASSES,
            )
        return panoptic_quality(counts)

    def peer() -> tuple:
        read = [
            (published_read(gt_path), published_read(pred_path), gt, pred)
            for gt_path, pred_path, gt, pred in files
        ]
        return quality(list(count_images(read).values()))

    np.testing.assert_allclose(ours(), peer(), rtol=1e-9)
    return Arms(ours, peer)


bench('coco_panoptic_480x640', 'published loop', 3)(lambda: arms(480, 640))
