"""A panoptic data set of two images, small enough to check by hand."""

import json
from pathlib import Path

import mmcv
import numpy as np

CATEGORIES = [
    {'id': 7, 'name': 'cup', 'isthing': 1},
    {'id': 20, 'name': 'cat', 'isthing': 1},
    {'id': 33, 'name': 'sky', 'isthing': 0},
]
METAINFO = {
    'classes': ('cup', 'cat', 'sky'),
    'thing_classes': ('cup', 'cat'),
    'stuff_classes': ('sky',),
    'palette': [(220, 20, 60), (0, 0, 142), (70, 130, 180)],
}
# Ids that use all three colour channels: 1 + 256 * 2 + 65536 * 3 = 197121.
CUP, CAT, SKY, CROWD = 197121, 256, 65536, 5


def id_maps() -> list[np.ndarray]:
    """Ids (6, 8): two cups, a cat, sky, a crowd of cats and some void."""
    first = np.full((6, 8), SKY)
    first[:3, :3] = CUP
    first[3:5, 5:] = CROWD
    first[5, 0] = 0
    second = np.zeros((6, 8), int)
    second[1:4, 2:6] = CAT
    second[4:, :] = CUP + 1
    return [first, second]


def write_png(path: Path, ids: np.ndarray) -> None:
    bgr = np.stack([ids // 65536, ids // 256 % 256, ids % 256], -1)
    mmcv.imwrite(bgr.astype(np.uint8), str(path))


def write(root: Path) -> None:
    """Writes images, maps and ``panoptic.json``."""
    category = {CUP: 7, CUP + 1: 7, CAT: 20, SKY: 33, CROWD: 20}
    images, annotations = [], []
    for i, ids in enumerate(id_maps()):
        mmcv.imwrite(np.zeros((6, 8, 3), np.uint8), str(root / f'img/{i}.jpg'))
        write_png(root / f'seg/{i}.png', ids)
        segments = []
        for segment in np.unique(ids[ids > 0]).tolist():
            rows, cols = np.nonzero(ids == segment)
            segments.append(
                {
                    'id': segment,
                    'category_id': category[segment],
                    'iscrowd': int(segment == CROWD),
                    'area': len(rows),
                    'bbox': [
                        int(cols.min()),
                        int(rows.min()),
                        int(np.ptp(cols)) + 1,
                        int(np.ptp(rows)) + 1,
                    ],
                }
            )
        images.append(
            {'id': i, 'file_name': f'{i}.jpg', 'height': 6, 'width': 8}
        )
        annotations.append(
            {
                'image_id': i,
                'file_name': f'{i}.png',
                'segments_info': segments,
            }
        )
    content = {
        'images': images,
        'annotations': annotations,
        'categories': CATEGORIES,
    }
    (root / 'panoptic.json').write_text(json.dumps(content))
