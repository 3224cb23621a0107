"""Truth and results of instance segmentation, drawn to COCO's statistics.

In val2017 an image has 7.3 objects of 2.9 classes, 1.2 % of them crowds;
41 % are smaller than 32 x 32 pixels, 24 % larger than 96 x 96; 1 % of the
images have none. A detector gives 100 results an image.
"""

from typing import NamedTuple

import numpy as np
from pycocotools import mask as mask_utils

SIZE = (480, 640)
CLASSES = 80


class Setting(NamedTuple):
    """What is drawn.

    Attributes:
        images: number of images.
        results: results an image, at most.
        classes: number of classes.
        objects: mean number of objects of an image.
        steps: scores are rounded to 1 / steps, so that some are equal; 0
            leaves them.
    """

    images: int
    results: int = 100
    classes: int = CLASSES
    objects: float = 7.3
    steps: int = 0


def outline(
    rng: np.random.Generator, centre: np.ndarray, radius: float
) -> np.ndarray:
    """A star of 24 corners (24, 2) around a centre, in x and y."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    waves = rng.normal(0, 0.15, 3) @ np.cos(
        np.outer([2, 3, 5], angles) + rng.random((3, 1)) * 6
    )
    rays = radius * np.clip(1 + waves, 0.3, 2)
    ring = np.stack([np.cos(angles), np.sin(angles)], 1) * rays[:, None]
    return np.clip(centre + ring, 0, [SIZE[1] - 1, SIZE[0] - 1])


def encoded(ring: np.ndarray) -> dict:
    """RLE of the inside of an outline, ``counts`` as text."""
    rle = mask_utils.frPyObjects([ring.ravel().tolist()], *SIZE)[0]
    return {'size': list(SIZE), 'counts': rle['counts'].decode()}


def annotation(
    ring: np.ndarray, image: int, label: int, crowd: bool, number: int
) -> dict:
    """An object of an instance file, crowds as RLE."""
    rle = encoded(ring)
    return {
        'id': number,
        'image_id': image,
        'category_id': label,
        'iscrowd': int(crowd),
        'area': float(mask_utils.area(rle)),
        'bbox': mask_utils.toBbox(rle).tolist(),
        'segmentation': rle if crowd else [ring.ravel().tolist()],
    }


def anywhere(rng: np.random.Generator, median: float) -> np.ndarray:
    """An outline at a random place."""
    centre = rng.random(2) * [SIZE[1], SIZE[0]]
    radius = np.exp(rng.normal(np.log(median), 1.1))
    return outline(rng, centre, np.clip(radius, 3, 240))


def moved(rng: np.random.Generator, ring: np.ndarray) -> np.ndarray:
    """An outline as a model would find it."""
    spread = np.ptp(ring, 0) * 0.07
    ring = ring + rng.normal(0, 1, 2) * spread
    ring = ring + rng.normal(0, 1, ring.shape) * spread * 0.5
    return np.clip(ring, 0, [SIZE[1] - 1, SIZE[0] - 1])


def result(
    rng: np.random.Generator,
    setting: Setting,
    palette: np.ndarray,
    truth: tuple[np.ndarray, int] | None,
) -> dict:
    """A result that lies on an object, or anywhere, with a lower score."""
    if truth is None:
        ring, label = anywhere(rng, 22), rng.choice(palette)
        if rng.random() < 0.3:
            label = rng.integers(1, setting.classes + 1)
        score = rng.beta(1, 6)
    else:
        ring, label = moved(rng, truth[0]), truth[1]
        if rng.random() < 0.2:
            label = rng.choice(palette)
        score = rng.beta(4, 2)
    if setting.steps:
        score = round(score * setting.steps) / setting.steps
    rle = encoded(ring)
    return {
        'category_id': int(label),
        'score': float(score),
        'bbox': mask_utils.toBbox(rle).tolist(),
        'segmentation': rle,
    }


def draw(setting: Setting, seed: int = 0) -> tuple[dict, list[dict]]:
    """Content of an instance file, and results for it.

    A third of an image's results lie on objects, moved a little, some of
    them with a wrong class.

    Returns:
        The file's content; results with ``segmentation`` and ``bbox``.
    """
    rng = np.random.default_rng(seed)
    annotations: list[dict] = []
    results: list[dict] = []
    for image in range(1, setting.images + 1):
        empty = rng.random() < 0.01
        count = 0 if empty else rng.geometric(1 / setting.objects)
        palette = rng.integers(1, setting.classes + 1, 3)
        objects = []
        for _ in range(count):
            ring, label = anywhere(rng, 22), int(rng.choice(palette))
            crowd = rng.random() < 0.012
            number = len(annotations) + 1
            made = annotation(ring, image, label, crowd, number)
            if made['area'] >= 4:
                annotations.append(made)
                objects.append((ring, label))
        for place in range(setting.results):
            truth = None
            if objects and place % 3 == 0:
                truth = objects[rng.integers(len(objects))]
            row = result(rng, setting, palette, truth)
            results.append({'image_id': image, **row})
    numbers = range(1, setting.images + 1)
    labels = range(1, setting.classes + 1)
    content = {
        'images': [
            {'id': i, 'height': SIZE[0], 'width': SIZE[1]} for i in numbers
        ],
        'annotations': annotations,
        'categories': [{'id': i, 'name': f'class {i}'} for i in labels],
    }
    return content, results
