from pathlib import Path

import numpy as np
import pytest
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config

from mmseg_plugin.registry import TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs'
CROP = {
    'type': 'mmseg_plugin.SharedOffsetCrop',
    'crop_size': (20, 10),
    'crop_type': 'absolute',
    'allow_negative_crop': True,
}


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose pixels are (row, column, 0)."""
    rows, cols = np.mgrid[:height, :width]
    return np.stack([rows, cols, 0 * rows], -1).astype(np.float32)


def test_both_offsets_are_one_share_of_their_room():
    np.random.seed(0)
    crop = TRANSFORMS.build(CROP)
    tops = set()
    for _ in range(30):
        image = crop({'img': coordinates(60, 120)})['img']
        assert image.shape == (10, 20, 3)
        top, left = image[0, 0, :2]
        # Room is 50 rows and 100 columns.
        assert abs(left - 2 * top) <= 1
        tops.add(top)
    assert min(tops) < 10
    assert max(tops) > 40


@pytest.mark.parametrize(('height', 'width'), [(5, 60), (30, 8), (5, 8)])
def test_no_room_no_offset(height, width):
    image = TRANSFORMS.build(CROP)({'img': coordinates(height, width)})['img']
    assert image.shape[:2] == (min(10, height), min(20, width))
    assert height > 10 or image[0, 0, 0] == 0
    assert width > 20 or image[0, 0, 1] == 0


def test_published_jittering_pads_with_grey():
    config = Config.fromfile(CONFIGS / '_base_/datasets/coco_panoptic_lsj.py')
    pipeline = config.train_dataloader.dataset.pipeline
    results = {
        'img': np.zeros((300, 400, 3), np.float32),
        'gt_masks': BitmapMasks(np.ones((1, 300, 400), np.uint8), 300, 400),
        'gt_seg_map': np.zeros((300, 400), np.int32),
    }
    for step in pipeline[-3:-1]:
        results = TRANSFORMS.build(step)(results)
    assert results['img'].shape == (1024, 1024, 3)
    assert (results['img'][300:] == 128).all()
    assert (results['img'][:, 400:] == 128).all()
    assert (results['gt_seg_map'][300:] == 255).all()
    assert results['gt_masks'].masks.sum() == 300 * 400
