"""Random records: discs that are found, moved, mistaken and invented."""

import numpy as np
from pycocotools import mask as mask_utils

from mmseg_plugin.reporting.records import ImageRecord, Judged, Region

SIZE = (48, 64)


def disc(center, radius, label, score=None, crowd=False):
    rows, columns = np.indices(SIZE)
    mask = np.hypot(rows - center[0], columns - center[1]) < radius
    rle = mask_utils.encode(np.asfortranarray(mask, np.uint8))
    return Region(int(label), rle, score, crowd)


def judged(seed=0, images=8, kind='instances', classes=3, skill=0.7):
    rng = np.random.default_rng(seed)
    truth_rng = np.random.default_rng(99)
    records = []
    for number in range(images):
        record = ImageRecord(str(number), f'/{number}.png', SIZE)
        for _ in range(truth_rng.integers(1, 5)):
            center = truth_rng.uniform((8, 8), (40, 56))
            radius, label = truth_rng.uniform(4, 9), truth_rng.integers(3)
            crowd = bool(truth_rng.random() < 0.1)
            record.truth.append(disc(center, radius, label, None, crowd))
            score = None if kind != 'instances' else rng.random()
            if rng.random() < skill:
                moved = center + rng.normal(0, 1, 2)
                record.found.append(disc(moved, radius, label, score))
            elif rng.random() < 0.5:
                label = rng.integers(classes)
                record.found.append(disc(center, radius, label, score))
        records.append(record)
    return Judged(kind, ('a', 'b', 'c')[:classes], records)
