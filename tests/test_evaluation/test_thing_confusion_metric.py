import numpy as np
import pytest
import torch

from mmseg_plugin.evaluation import (
    Segments,
    ThingConfusionMetric,
    common_pixels,
    overlaps,
)
from mmseg_plugin.evaluation.thing_confusion_metric import confusion_counts
from tests.test_datasets import panoptic_folder as folder
from tests.test_datasets.test_coco_by_name import edit

CAR, BUS, ROAD = 0, 1, 2
IS_THING = np.array([True, True, False])
# Ids 1 and 2 are cars of 4 px, 3 is a bus of 4 px, 4 road, 5 a crowd of cars.
GT = np.array(
    [
        [1, 1, 2, 2, 3, 3],
        [1, 1, 2, 2, 3, 3],
        [4, 4, 4, 4, 5, 0],
    ]
)
SEGMENTS = Segments(
    np.array([1, 2, 3, 4, 5]),
    np.array([CAR, CAR, BUS, ROAD, CAR]),
    np.array([False, False, False, False, True]),
)


def counts(pred, labels, min_share=0.5):
    pred = np.array(pred)
    found = Segments(np.unique(pred[pred > 0]), np.array(labels, int))
    pixels = common_pixels(overlaps(GT, pred), SEGMENTS.ids, found.ids)
    return confusion_counts(
        pixels, SEGMENTS, found, IS_THING, min_share
    ).tolist()


def test_perfect():
    pred = np.where(GT == 5, 0, GT)
    # Three things, each covers one; all 12 pixels are right.
    assert counts(pred, [CAR, CAR, BUS, ROAD]) == [3, 3, 3, 0, 12, 12, 12]


def test_one_segment_for_two_cars():
    pred = np.where(GT == 2, 1, np.where(GT == 5, 0, GT))
    # The second car has no segment of its own.
    assert counts(pred, [CAR, BUS, ROAD]) == [2, 2, 3, 1, 8, 12, 12]


def test_things_of_other_classes_are_covered_but_not_right():
    pred = np.where((GT == 2) | (GT == 3), 1, 0)
    assert counts(pred, [CAR]) == [1, 1, 2, 1, 4, 12, 8]


def test_share_is_of_the_ground_truth():
    pred = np.where((GT == 1), 1, 0)
    pred[0, 2] = 1
    # All of one car and a quarter of another.
    assert counts(pred, [CAR], 0.5) == [1, 1, 1, 0, 4, 12, 5]
    assert counts(pred, [CAR], 0.25) == [1, 1, 2, 1, 4, 12, 5]


def test_void_and_crowds_do_not_count():
    pred = np.where((GT == 5) | (GT == 0), 1, 0)
    assert counts(pred, [CAR]) == [1, 0, 0, 0, 0, 12, 0]


def test_assignment_is_the_best_one():
    """Greedy would give segment 7 car 1 and leave segment 6 nothing."""
    pred = np.zeros_like(GT)
    pred[0, :2] = 6
    pred[1, :2] = 7
    pred[1, 2:3] = 7
    # 6 has 2 px of car 1; 7 has 2 px of car 1 and 1 px of car 2.
    assert counts(pred, [CAR, CAR]) == [2, 1 + 1, 2, 0, 3, 12, 5]


def test_nothing_predicted():
    assert counts(np.zeros_like(GT), []) == [0, 0, 0, 0, 0, 12, 0]


def test_share_out_of_range():
    with pytest.raises(ValueError, match='min_share'):
        ThingConfusionMetric(min_share=0)


@pytest.mark.parametrize('turned', [False, True])
def test_metric_reads_the_ground_truth(tmp_path, turned):
    folder.write(tmp_path)
    if turned:
        # Names tie labels to categories, in whatever order these are.
        path = str(tmp_path / 'panoptic.json')
        edit(path, lambda content: content['categories'].reverse())
    metric = ThingConfusionMetric(
        ann_file=str(tmp_path / 'panoptic.json'),
        seg_prefix=str(tmp_path / 'seg'),
    )
    metric.dataset_meta = folder.METAINFO
    ids = folder.id_maps()
    maps = [
        np.where(ids[0] == folder.CUP, 1000, 3),
        # One cat for the cat and the cup: 8 px and 16 px.
        np.where(ids[1] > 0, 1001, 3),
    ]
    for i, encoded in enumerate(maps):
        metric.process(
            {},
            [
                {
                    'img_id': i,
                    'img_path': f'{i}.jpg',
                    'pred_panoptic_seg': {
                        'sem_seg': torch.tensor(encoded)[None]
                    },
                }
            ],
        )
    areas = {i: int((ids[1] == i).sum()) for i in (folder.CAT, folder.CUP + 1)}
    cup, cat, other = 9, *areas.values()
    right = cup + cat
    assert metric.evaluate(2) == {
        'confusion/things': 2,
        'confusion/covered': 1.5,
        'confusion/confused': 50,
        'confusion/pixel_acc': pytest.approx(100 * right / (right + other)),
        'confusion/pixel_prec': pytest.approx(100 * right / (right + other)),
    }


def test_nothing_to_divide_by(tmp_path):
    folder.write(tmp_path)
    metric = ThingConfusionMetric(
        ann_file=str(tmp_path / 'panoptic.json'),
        seg_prefix=str(tmp_path / 'seg'),
    )
    metric.dataset_meta = folder.METAINFO
    sample = {
        'img_id': 0,
        'img_path': '0.jpg',
        'pred_panoptic_seg': {'sem_seg': torch.full((1, 6, 8), 3)},
    }
    metric.process({}, [sample])
    values = metric.evaluate(1)
    assert values['confusion/things'] == 0
    assert np.isnan(values['confusion/confused'])
