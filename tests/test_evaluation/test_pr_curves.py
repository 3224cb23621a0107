import contextlib
import io

import numpy as np
import pytest
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseg_plugin.evaluation.pr_curves import mask_pr


def rle(*box, size=(200, 200)):
    x, y, w, h = box
    mask = np.zeros(size, np.uint8, order='F')
    mask[y : y + h, x : x + w] = 1
    return mask_utils.encode(mask)


def truth_of(objects, categories=('cell',)):
    """``objects``: (image id, category id, box), images 1 to 3."""
    truth = COCO()
    truth.dataset = {
        'images': [
            {'id': i, 'height': 200, 'width': 200} for i in range(1, 4)
        ],
        'categories': [
            {'id': i, 'name': n} for i, n in enumerate(categories, 1)
        ],
        'annotations': [
            {
                'id': i,
                'image_id': image,
                'category_id': category,
                'segmentation': rle(*box),
                'bbox': list(box),
                'area': box[2] * box[3],
                'iscrowd': 0,
            }
            for i, (image, category, box) in enumerate(objects, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def found(image, score, *box, category=1):
    return {
        'image_id': image,
        'category_id': category,
        'score': score,
        'segmentation': rle(*box),
        # Wrong on purpose: only masks count.
        'bbox': [0, 0, 200, 200],
    }


def test_two_of_four_found_and_one_false_alarm():
    truth = truth_of([(1, 1, (x, 0, 20, 20)) for x in (0, 40, 80, 120)])
    results = [
        found(1, 0.9, 0, 0, 20, 20),
        found(1, 0.8, 0, 100, 20, 20),
        # 16 of 20 columns: IoU 0.8.
        found(1, 0.7, 40, 0, 16, 20),
    ]
    pr = mask_pr(truth, results, ['cell'], 100)
    # Precision 1 up to recall 0.25, then 2 / 3 up to 0.5, then nothing.
    want = np.where(pr.recall <= 0.25, 1, np.where(pr.recall <= 0.5, 2 / 3, 0))
    np.testing.assert_allclose(pr.precision['0.5'], want)
    np.testing.assert_allclose(pr.precision['0.75'], want)
    assert pr.metrics['AP50'] == pytest.approx((26 + 25 * 2 / 3) / 101)
    # Only the first is right at 0.85, 0.9 and 0.95.
    only_first = 26 / 101
    assert pr.metrics['AP'] == pytest.approx(
        (7 * pr.metrics['AP50'] + 3 * only_first) / 10
    )
    np.testing.assert_allclose(
        pr.precision['0.5:0.95'].mean(), pr.metrics['AP']
    )
    assert pr.metrics['AP_s'] == pytest.approx(pr.metrics['AP'])
    assert pr.metrics['AP_m'] == pr.metrics['AP_l'] == -1


def random_case(rng):
    objects, results = [], []
    for _ in range(60):
        image, category = rng.integers(1, 4), rng.integers(1, 3)
        size = rng.integers(8, 120, 2)
        corner = rng.integers(0, 80, 2)
        objects.append(
            (int(image), int(category), (*corner.tolist(), *size.tolist()))
        )
        noise = rng.integers(-6, 7, 4)
        box = np.maximum(np.concatenate([corner, size]) + noise, 0).tolist()
        results.append(
            found(
                int(image), float(rng.random()), *box, category=int(category)
            )
        )
    return truth_of(objects, ['cell', 'debris', 'absent']), results


@pytest.mark.parametrize('seed', range(3))
def test_equals_pycocotools(seed):
    truth, results = random_case(np.random.default_rng(seed))
    pr = mask_pr(truth, results, ['cell', 'debris', 'absent'], 100)
    with contextlib.redirect_stdout(io.StringIO()):
        bare = [{k: v for k, v in r.items() if k != 'bbox'} for r in results]
        reference = COCOeval(truth, truth.loadRes(bare), 'segm')
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    names = ['AP', 'AP50', 'AP75', 'AP_s', 'AP_m', 'AP_l']
    for name, value in zip(names, reference.stats, strict=False):
        assert pr.metrics[name] == pytest.approx(value, abs=1e-12), name
    assert 0.05 < pr.metrics['AP'] < 0.95
    precision = reference.eval['precision'][:, :, :2, 0, 2]
    for name, ious in {'0.5': [0], '0.75': [5], '0.5:0.95': range(10)}.items():
        np.testing.assert_allclose(
            pr.precision[name], precision[list(ious)].mean(axis=(0, 2))
        )


def test_classes_choose_the_categories():
    truth, results = random_case(np.random.default_rng(5))
    both = mask_pr(truth, results, ['cell', 'debris'], 100).metrics['AP']
    one = mask_pr(truth, results, ['cell'], 100).metrics['AP']
    other = mask_pr(truth, results, ['debris'], 100).metrics['AP']
    assert both == pytest.approx((one + other) / 2)
    assert one != other


def test_more_than_100_objects_count():
    boxes = [
        (x, y, 10, 10) for x in range(0, 200, 15) for y in range(0, 150, 15)
    ]
    truth = truth_of([(2, 1, box) for box in boxes])
    results = [found(2, 1 - i / 1000, *box) for i, box in enumerate(boxes)]
    assert len(boxes) == 140
    assert mask_pr(truth, results, ['cell'], 300).metrics['AP'] == 1
    at_100 = mask_pr(truth, results, ['cell'], 100).metrics['AP']
    assert at_100 == pytest.approx(100 / 140, abs=0.01)


def test_nothing_found():
    truth = truth_of([(1, 1, (0, 0, 20, 20))])
    pr = mask_pr(truth, [], ['cell'], 100)
    assert pr.metrics['AP'] == 0
    assert not pr.precision['0.5'].any()


def test_nothing_to_find():
    pr = mask_pr(truth_of([]), [found(1, 0.5, 0, 0, 9, 9)], ['cell'], 100)
    assert pr.metrics['AP'] == -1
    assert (pr.precision['0.5:0.95'] == -1).all()


def test_results_of_another_data_set():
    with pytest.raises(ValueError, match='image 9 '):
        mask_pr(truth_of([]), [found(9, 0.5, 0, 0, 9, 9)], ['cell'], 100)


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        ({'segmentation': None}, 'boxes without masks'),
        ({'segmentation': [[0, 0, 9, 0, 9, 9]]}, 'not an RLE'),
        ({'segmentation': 'abc'}, "its segmentation is 'abc', not an RLE"),
        ({'score': None}, 'result 0 of image 1 has no finite score'),
        ({'score': '0.9'}, 'result 0 of image 1 has no finite score'),
        ({'score': float('nan')}, 'result 0 of image 1 has no finite score'),
        ({'image_id': None}, 'result 0: its image_id is None'),
        ({'category_id': {}}, 'result 0: its category_id is {}'),
    ],
)
def test_what_is_no_result_is_named(change, says):
    row = {**found(1, 0.5, 0, 0, 9, 9), **change}
    with pytest.raises(ValueError, match=says):
        mask_pr(truth_of([]), [row], ['cell'], 100)
