import numpy as np
import pytest

from mmseg_plugin.evaluation.panoptic_quality import (
    Segments,
    overlaps,
    panoptic_quality,
    per_class_quality,
    segment_counts,
)


def segments(ids, labels, crowd=None, areas=None) -> Segments:
    crowd = None if crowd is None else np.array(crowd, bool)
    areas = None if areas is None else np.array(areas)
    return Segments(np.array(ids, int), np.array(labels, int), crowd, areas)


def counts(gt_map, gt, pred_map, pred, num_classes=2) -> np.ndarray:
    met = overlaps(np.array(gt_map), np.array(pred_map))
    return segment_counts(met, gt, pred, num_classes)


def test_overlaps_counts_every_pair():
    gt = np.array([[1, 1, 2], [2, 1, 1]])
    pred = np.array([[0, 5, 5], [5, 5, 0]])
    met = overlaps(gt, pred)
    found = set(zip(*(a.tolist() for a in met), strict=True))
    assert found == {(1, 0, 2), (1, 5, 2), (2, 5, 2)}


def test_overlaps_of_random_maps_and_the_largest_ids():
    random = np.random.default_rng(0)
    top = (1 << 24) - 1
    gt = random.choice([0, 1, top - 1, top], (40, 50))
    pred = random.choice([0, 255, 1 << 23, top], (40, 50))
    met = overlaps(gt.astype(np.int32), pred)
    assert met.pixels.sum() == gt.size
    for i, j, pixels in zip(*met, strict=True):
        assert pixels == ((gt == i) & (pred == j)).sum()


def test_one_run_longer_than_16_bits():
    met = overlaps(np.full((300, 400), 3), np.full((300, 400), 4))
    assert [a.tolist() for a in met] == [[3], [4], [120000]]


def test_maps_that_do_not_fit():
    with pytest.raises(ValueError, match=r'\(2, 3\)'):
        overlaps(np.zeros((2, 3), int), np.zeros((3, 2), int))
    wide = np.zeros((1, 1 << 16), int)
    with pytest.raises(ValueError, match='65536 columns'):
        overlaps(wide, wide)


def test_matched_missed_and_wrong():
    # Segment 1 is found with IoU 3/4, 2 is missed, 9 is made up.
    gt = [[1, 1, 1, 1, 2, 2, 3, 3]]
    pred = [[7, 7, 7, 9, 9, 9, 9, 9]]
    got = counts(
        gt,
        segments([1, 2, 3], [0, 0, 1]),
        pred,
        segments([7, 9], [0, 1]),
    )
    assert got.tolist() == [[0.75, 1, 0, 1], [0, 0, 1, 1]]


def test_iou_of_one_half_is_no_match():
    got = counts(
        [[1, 1, 1]], segments([1], [0]), [[2, 2, 3]], segments([2, 3], [0, 0])
    )
    assert got[0].tolist() == [pytest.approx(2 / 3), 1, 1, 0]
    got = counts(
        [[1, 1]], segments([1], [0]), [[2, 3]], segments([2, 3], [0, 0])
    )
    assert got[0].tolist() == [0, 0, 2, 1]


def test_void_is_left_out_of_the_union():
    got = counts(
        [[1, 1, 0, 0]], segments([1], [0]), [[5, 5, 5, 5]], segments([5], [0])
    )
    assert got[0].tolist() == [1, 1, 0, 0]


def test_a_prediction_mostly_on_void_is_ignored():
    truth = segments([1], [0])
    got = counts([[1, 0, 0, 0]], truth, [[0, 5, 5, 5]], segments([5], [0]))
    assert got[0].tolist() == [0, 0, 0, 1]
    # Exactly half of it is not most of it.
    got = counts([[1, 1, 0, 0]], truth, [[0, 5, 5, 0]], segments([5], [1]))
    assert got.tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]


def test_a_crowd_excuses_its_own_class_only():
    gt = segments([1, 2], [0, 1], crowd=[True, False])
    got = counts([[1, 1, 1, 2]], gt, [[5, 5, 5, 0]], segments([5], [0]))
    assert got.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]
    got = counts([[1, 1, 1, 2]], gt, [[5, 5, 5, 0]], segments([5], [1]))
    assert got.tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]


def test_of_two_crowds_of_a_class_the_last_excuses():
    gt = segments([1, 2], [0, 0], crowd=[True, True])
    pred = segments([5, 6], [0, 0])
    got = counts([[1, 1, 2]], gt, [[5, 5, 6]], pred)
    assert got[0].tolist() == [0, 0, 1, 0]


def test_given_areas_lead():
    got = counts(
        [[1, 1, 1]],
        segments([1], [0], areas=[4]),
        [[5, 5, 5]],
        segments([5], [0]),
    )
    assert got[0, 0] == 0.75


def test_unlisted_ground_truth_is_not_void():
    got = counts(
        [[8, 8, 9]], segments([], []), [[5, 5, 5]], segments([5], [0])
    )
    assert got[0].tolist() == [0, 0, 1, 0]


def test_lists_and_maps_must_agree():
    gt = segments([1], [0])
    with pytest.raises(ValueError, match=r'\[6\]'):
        counts([[1, 1]], gt, [[5, 6]], segments([5], [0]))
    with pytest.raises(ValueError, match=r'\[7\]'):
        counts([[1, 1]], gt, [[5, 5]], segments([5, 7], [0, 0]))


def test_empty_prediction_and_empty_truth():
    none = segments([], [])
    got = counts([[1, 1]], segments([1], [1]), [[0, 0]], none)
    assert got.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]
    assert not counts([[0, 0]], none, [[0, 0]], none).any()


def test_averages():
    table = np.array([[1.5, 2, 0, 2], [0, 0, 0, 0], [0, 0, 3, 0]])
    assert per_class_quality(table).tolist() == [
        [0.5, 0.75, pytest.approx(2 / 3)],
        [0, 0, 0],
        [0, 0, 0],
    ]
    every = panoptic_quality(table)
    assert every == (0.25, 0.375, pytest.approx(1 / 3), 2)
    first = panoptic_quality(table, np.array([True, False, False]))
    assert first == (0.5, 0.75, pytest.approx(2 / 3), 1)
    absent = panoptic_quality(table, np.array([False, True, False]))
    assert np.isnan(absent[:3]).all()
    assert absent.num == 0


@pytest.mark.parametrize('size', [(0, 5), (5, 0)])
def test_maps_without_pixels_have_no_overlaps(size):
    got = counts(
        *(np.zeros(size, int), segments([3], [1])),
        *(np.zeros(size, int), segments([], [])),
    )
    assert got.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]
