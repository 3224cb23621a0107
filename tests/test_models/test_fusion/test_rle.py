import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmseg_plugin.models.fusion.rle import encode_crop

SIZE = (7, 9)


def whole(pixels: np.ndarray, top: int, left: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8, order='F')
    height, width = pixels.shape
    mask[top : top + height, left : left + width] = pixels
    return mask


@pytest.mark.parametrize(
    ('pixels', 'top', 'left'),
    [
        (np.ones(SIZE, bool), 0, 0),
        (np.zeros(SIZE, bool), 0, 0),
        (np.zeros((0, 0), bool), 0, 0),
        (np.ones((1, 1), bool), 0, 0),
        (np.ones((1, 1), bool), 6, 8),
        (np.ones((7, 3), bool), 0, 2),
        (np.eye(5, dtype=bool), 2, 4),
        (np.ones((3, 2), bool), 4, 0),
    ],
)
def test_known_crops(pixels, top, left):
    want = coco_mask.encode(whole(pixels, top, left))
    assert encode_crop(pixels, top, left, SIZE) == want


def test_random_crops():
    random = np.random.default_rng(0)
    for _ in range(100):
        height, width = random.integers(1, 8), random.integers(1, 10)
        top = random.integers(0, 8 - height)
        left = random.integers(0, 10 - width)
        pixels = random.random((height, width)) < 0.6
        want = coco_mask.encode(whole(pixels, top, left))
        assert encode_crop(pixels, int(top), int(left), SIZE) == want
