import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from mmseg_plugin.datasets.transforms.object_crop import (
    CropAroundObject,
    CropObject,
    ResizeToObject,
)

RESIZE = ((64, 240), 400, (80,), 300)


def results(crop_object, size=(100, 150)):
    mask = np.zeros((1, *size), np.uint8)
    mask[0, 20:30, 40:60] = 1
    semantic = np.full(size, 255, np.int32)
    semantic[50:60, 100:150] = 3
    return {
        'img': np.zeros((*size, 3), np.uint8),
        'gt_masks': BitmapMasks(mask, *size),
        'gt_bboxes': HorizontalBoxes(np.array([[40.0, 20, 60, 30]])),
        'gt_bboxes_labels': np.array([0]),
        'gt_ignore_flags': np.array([False]),
        'gt_seg_map': semantic,
        'crop_object': crop_object,
    }


@pytest.mark.parametrize(
    ('box', 'scale', 'size'),
    [
        ((0, 0, 40, 10), 40, (200, 300)),  # 40 / sqrt(400) = 2
        ((0, 0, 40, 10), 4, (64, 96)),  # the shorter side is at least 64
        ((0, 0, 40, 10), 100, (240, 360)),  # and at most 240
        ((0, 0, 40, 10), None, (80, 120)),  # stuff
    ],
)
def test_new_size(box, scale, size):
    assert ResizeToObject(*RESIZE).new_size((100, 150), box, scale) == size


def test_longest_side_comes_last():
    resize = ResizeToObject((64, 400), 450, (200,), 240)
    box = (0, 0, 40, 10)
    assert resize.new_size((100, 150), box, 80) == (300, 450)
    assert resize.new_size((100, 150), box, None) == (160, 240)


def test_everything_is_resized():
    chosen = CropObject(0, (40, 20, 60, 40), 40)
    found = ResizeToObject(*RESIZE)(results(chosen))
    assert found['img'].shape == (200, 300, 3)
    semantic = found['gt_seg_map']
    assert semantic.shape == (200, 300)
    assert semantic.dtype == np.int32
    assert (semantic == 3).sum() == 2000
    assert (semantic == 255).sum() == 58000
    assert found['gt_bboxes'].tensor.tolist() == [[80, 40, 120, 60]]
    assert found['gt_masks'].masks.sum() == 800
    assert found['crop_object'].box == (80, 40, 120, 80)


def test_no_semantic_map():
    given = results(CropObject(0, (40, 20, 60, 40), 40))
    del given['gt_seg_map']
    assert 'gt_seg_map' not in ResizeToObject(*RESIZE)(given)


def test_box_of_stuff_is_that_of_its_class():
    found = ResizeToObject(*RESIZE)(results(CropObject(3, None, None)))
    assert found['crop_object'].box == pytest.approx((80, 40, 120, 48))
    absent = ResizeToObject(*RESIZE)(results(CropObject(9, None, None)))
    assert absent['crop_object'].box == pytest.approx((0, 0, 120, 80))


@pytest.mark.parametrize(
    ('box', 'count'),
    [((40, 20, 60, 30), 100), ((0, 0, 2, 2), 1), ((140, 90, 150, 100), 20)],
)
def test_crop_holds_the_centre(box, count):
    crop = CropAroundObject((32, 24))
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    corners = set()
    for seed in range(200):
        np.random.seed(seed)
        found = results(CropObject(0, box, None))
        rows, columns = np.indices(found['img'].shape[:2])
        found['img'] = np.stack([columns, rows, rows], -1).astype(np.uint8)
        cut = crop(found)['img']
        assert cut.shape == (24, 32, 3)
        left, top = map(int, cut[0, 0, :2])
        corners.add((left, top))
        # Bounds are rounded down: by less than a pixel outside.
        assert left - 1 < x < left + 33
        assert top - 1 < y < top + 25
    assert len(corners) >= count


def test_image_smaller_than_the_crop():
    crop = CropAroundObject((400, 400))
    found = crop(results(CropObject(0, (40, 20, 60, 30), None)))
    assert found['img'].shape == (100, 150, 3)
    assert found['gt_masks'].masks.sum() == 200


def test_a_crop_without_things_is_kept():
    np.random.seed(0)
    crop = CropAroundObject((16, 16))
    found = crop(results(CropObject(3, (120, 50, 140, 60), None)))
    assert len(found['gt_bboxes']) == 0
    assert (found['gt_seg_map'] == 3).any()
