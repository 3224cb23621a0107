import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from mmseg_plugin.registry import TRANSFORMS


def rectangle(y0, y1, x0, x1, size=(20, 30)):
    mask = np.zeros(size, np.uint8)
    mask[y0:y1, x0:x1] = 1
    return mask


def results_of(*masks, img_id=7):
    stacked = np.stack(masks) if masks else np.zeros((0, 20, 30), np.uint8)
    gt_masks = BitmapMasks(stacked, 20, 30)
    return {
        'img_id': img_id,
        'gt_masks': gt_masks,
        'gt_bboxes': gt_masks.get_bboxes('hbox'),
    }


def noisy(*masks, img_id=7, **options):
    transform = TRANSFORMS.build(
        {'type': 'mmseg_plugin.NoisyMasks', **options}
    )
    return transform(results_of(*masks, img_id=img_id))['gt_masks'].masks


@pytest.fixture
def block():
    return rectangle(6, 14, 8, 20)


def test_erode_moves_every_side_inwards(block):
    got = noisy(block, kinds=['erode'], strength=2)[0]
    np.testing.assert_array_equal(got, rectangle(8, 12, 10, 18))


def test_erode_leaves_the_side_cut_by_the_image(block):
    got = noisy(rectangle(0, 6, 0, 10), kinds=['erode'], strength=2)[0]
    np.testing.assert_array_equal(got, rectangle(0, 4, 0, 8))


def test_dilate_moves_every_side_outwards_and_rounds_corners(block):
    got = noisy(block, kinds=['dilate'], strength=2)[0]
    want = rectangle(4, 16, 8, 20) | rectangle(6, 14, 6, 22)
    # Diagonal neighbours of the four corners are 1.41 px away.
    want[[5, 5, 14, 14], [7, 20, 7, 20]] = 1
    np.testing.assert_array_equal(got, want)


def test_dilate_stops_at_the_image():
    got = noisy(rectangle(0, 20, 0, 29), kinds=['dilate'], strength=3)[0]
    assert got.all()


def test_jitter_stays_within_strength_and_moves_both_ways():
    mask = rectangle(6, 14, 5, 25)
    got = noisy(mask, kinds=['jitter'], strength=2)[0]
    assert (got & ~rectangle(4, 16, 3, 27)).sum() == 0
    assert (rectangle(8, 12, 7, 23) & ~got).sum() == 0
    assert (got & ~mask).any()
    assert (mask & ~got).any()


def test_shift_keeps_the_shape(block):
    got = noisy(block, kinds=['shift'], strength=3)[0]
    ys, xs = np.nonzero(got)
    assert got.sum() == block.sum()
    assert (np.ptp(ys), np.ptp(xs)) == (7, 11)
    # Both parts of the step are rounded to whole pixels.
    assert abs(np.hypot(ys.min() - 6, xs.min() - 8) - 3) < 0.75


def test_drop_cuts_a_disc_out(block):
    got = noisy(block, kinds=['drop'], strength=1)[0]
    lost = block & ~got
    assert not (got & ~block).any()
    # A whole disc of radius 1 has 5 pixels, one at a corner 3.
    assert 3 <= lost.sum() <= 5


def test_box_fills_the_box():
    triangle = np.tri(20, 30, dtype=np.uint8)
    triangle[:5] = 0
    got = noisy(triangle, kinds=['box'])[0]
    np.testing.assert_array_equal(got, rectangle(5, 20, 0, 20))


@pytest.mark.parametrize('kind', ['erode', 'drop', 'shift'])
def test_mask_that_would_vanish_is_left(kind):
    speck = rectangle(0, 1, 0, 1)
    for img_id in range(8):
        got = noisy(speck, kinds=[kind], strength=4, img_id=img_id)[0]
        assert got.sum() == 1


def test_empty_mask_and_no_instances(block):
    got = noisy(np.zeros_like(block), block, kinds=['erode'])
    assert not got[0].any()
    assert got[1].sum() < block.sum()
    assert noisy().shape == (0, 20, 30)


def test_same_noise_in_every_epoch_other_noise_elsewhere(block):
    masks = [block] * 6
    first = noisy(*masks)
    np.testing.assert_array_equal(first, noisy(*masks))
    assert (first != noisy(*masks, seed=1)).any()
    assert (first != noisy(*masks, img_id=8)).any()
    assert (first != noisy(*masks, img_id='a')).any()
    assert len({mask.tobytes() for mask in first}) > 2
    # An instance's noise does not hang on its neighbours.
    np.testing.assert_array_equal(first[:2], noisy(*masks[:2]))


def test_source_masks_are_not_changed(block):
    before = block.copy()
    results = results_of(block)
    stored = results['gt_masks']
    TRANSFORMS.build({'type': 'mmseg_plugin.NoisyMasks'})(results)
    np.testing.assert_array_equal(stored.masks[0], before)


def test_prob(block):
    masks = [block] * 200
    changed = (noisy(*masks, prob=0.25, kinds=['box', 'erode']) != block).any(
        axis=(1, 2)
    )
    # `box` does not change a rectangle: an eighth of 200 is 25.
    assert 10 <= changed.sum() <= 40
    assert (noisy(*masks, prob=0.0) == block).all()


def test_boxes_follow_only_when_asked(block):
    config = {
        'type': 'mmseg_plugin.NoisyMasks',
        'kinds': ['dilate'],
        'strength': 1,
    }
    kept = TRANSFORMS.build(config)(results_of(block))['gt_bboxes']
    assert kept.tensor.tolist() == [[8, 6, 20, 14]]
    config['update_boxes'] = True
    moved = TRANSFORMS.build(config)(results_of(block))['gt_bboxes']
    assert isinstance(moved, HorizontalBoxes)
    assert moved.tensor.tolist() == [[7, 5, 21, 15]]


def test_polygons_become_bitmaps():
    polygon = np.array([8, 6, 20, 6, 20, 14, 8, 14], np.float32)
    results = results_of()
    results['gt_masks'] = PolygonMasks([[polygon]], 20, 30)
    config = {'type': 'mmseg_plugin.NoisyMasks', 'kinds': ['erode']}
    got = TRANSFORMS.build(config)(results)['gt_masks']
    assert isinstance(got, BitmapMasks)
    np.testing.assert_array_equal(got.masks[0], rectangle(8, 12, 10, 18))


@pytest.mark.parametrize(
    ('options', 'named'),
    [
        ({'kinds': ['erode', 'melt']}, 'melt'),
        ({'kinds': []}, 'kinds'),
        ({'strength': 0}, 'strength'),
        ({'strength': float('nan')}, 'strength'),
        ({'prob': 1.5}, 'prob'),
    ],
)
def test_bad_options(options, named):
    with pytest.raises(ValueError, match=named):
        TRANSFORMS.build({'type': 'mmseg_plugin.NoisyMasks', **options})
