"""Backends that are installed against pycocotools, on odd input."""

from importlib import metadata

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_utils
from pycocotools.cocoeval import COCOeval

from mmseg_plugin.evaluation.average_precision import (
    curves,
    judged_truth,
    load_results,
)
from mmseg_plugin.evaluation.coco_backends import (
    COMPARED,
    WITH_BOUNDARY,
    available,
    chosen,
)
from tests.test_evaluation.test_coco_instance_metric import (
    IDS,
    judge,
    masks_of,
    results,
    truth,
)

FASTER = [name for name in COMPARED if name != 'pycocotools']
needs = pytest.mark.parametrize(
    'backend',
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not available(name), reason=f'{name} is not installed'
            ),
        )
        for name in FASTER
    ],
)


def odd_case(seed: int) -> tuple[dict, list[dict]]:
    """Crowds, equal scores, images without objects or results, ids from 0
    and below, one class without objects."""
    rng = np.random.default_rng(seed)
    images = [masks_of(int(rng.integers(0, 9)), i) for i in range(8)]
    content = truth(images)
    content['categories'].append({'id': 2, 'name': 'dust'})
    for i, row in enumerate(content['annotations']):
        row.update(id=i - 3, iscrowd=int(rng.random() < 0.2))
    rows = []
    for image in range(8):
        if image % 4 == 3:
            continue
        for mask in truth([masks_of(40, 100 + image)])['annotations'] + [
            row for row in content['annotations'] if row['image_id'] == image
        ]:
            rows.append(
                {
                    'image_id': image,
                    'category_id': int(rng.choice([*IDS.values(), 2])),
                    'score': float(rng.integers(0, 6)) / 5,
                    'bbox': mask['bbox'],
                    'segmentation': dict(mask['segmentation']),
                }
            )
    content['annotations'] = [
        row for row in content['annotations'] if row['image_id'] % 3
    ]
    return content, rows


def judged(content, rows, kind, max_dets, backend):
    whole, ids = judged_truth(content, 'truth', ['disc', 'cell', 'dust'])
    found = load_results(whole, rows, kind)
    return curves(whole, found, kind, ids, max_dets, backend=backend)


@needs
@pytest.mark.parametrize('kind', ['bbox', 'segm'])
@pytest.mark.parametrize('max_dets', [[1, 10, 100], [7], [2, 3, 5, 300]])
def test_equal_to_pycocotools(backend, kind, max_dets):
    for seed in range(3):
        content, rows = odd_case(seed)
        expected = judged(content, rows, kind, max_dets, 'pycocotools')
        assert (expected['precision'] > 0).any()
        got = judged(content, rows, kind, max_dets, backend)
        for key, values in expected.items():
            np.testing.assert_allclose(got[key], values, rtol=0, atol=1e-12)


@needs
def test_the_metric_takes_it(tmp_path, backend):
    images = [masks_of(6, 0), masks_of(4, 1)]
    got, expected = (
        judge(tmp_path, truth(images), results(images, 3), backend=name)
        for name in (backend, 'pycocotools')
    )
    assert got == expected


class BoundaryEval(COCOeval):
    """pycocotools with the smaller of both IoUs, as published; no crowds."""

    def computeIoU(self, image, category):  # noqa: N802
        ious = super().computeIoU(image, category)
        if not len(ious):
            return ious
        found = sorted(self._dts[image, category], key=lambda d: -d['score'])
        bounds = [
            [boundary(row['segmentation']) for row in rows]
            for rows in (found, self._gts[image, category])
        ]
        edges = mask_utils.iou(*bounds, [False] * len(bounds[1]))
        return np.minimum(ious, edges)


def boundary(rle: dict) -> dict:
    mask = np.pad(mask_utils.decode(rle), 1)
    steps = max(round(0.02 * np.hypot(*rle['size'])), 1)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=steps)
    edge = (mask - inner)[1:-1, 1:-1]
    return mask_utils.encode(np.asfortranarray(edge))


@pytest.mark.parametrize(
    'backend',
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                not available(name), reason=f'{name} is not installed'
            ),
        )
        for name in WITH_BOUNDARY
    ],
)
def test_boundary_ap_is_that_of_the_smaller_iou(tmp_path, backend):
    content, rows = odd_case(0)
    for row in content['annotations']:
        row['iscrowd'] = 0
    whole, ids = judged_truth(content, 'truth', ['disc', 'cell', 'dust'])
    found = load_results(whole, rows, 'boundary')
    got = curves(whole, found, 'boundary', ids, [100], backend=backend)
    expected = curves(whole, found, 'segm', ids, [100], backend=BoundaryEval)
    assert (expected['precision'] > 0).any()
    for key, values in expected.items():
        np.testing.assert_allclose(got[key], values, rtol=0, atol=1e-12)
    images = [masks_of(6, 0), masks_of(4, 1)]
    options = {'backend': backend, 'boundary': True}
    scores = judge(tmp_path, truth(images), results(images, 3), **options)
    assert 0 < scores['coco/boundary_mAP'] < scores['coco/segm_mAP']


def test_boundary_ap_needs_a_backend_that_has_it(monkeypatch):
    with pytest.raises(
        ValueError, match="'faster_coco_eval' and 'vernier' do"
    ):
        chosen('hotcoco', 'boundary')
    monkeypatch.setattr(metadata, 'version', lambda name: '99.0')
    with pytest.raises(ValueError, match=r'mmseg_plugin\[boundary\]'):
        chosen('auto', 'boundary')


def test_a_backend_that_is_not_there(monkeypatch):
    with pytest.raises(ValueError, match='not among'):
        chosen('cocoapi')

    def lacking(name):
        if name != 'pycocotools':
            raise metadata.PackageNotFoundError(name)
        return '2.0.11'

    monkeypatch.setattr(metadata, 'version', lacking)
    assert chosen('auto') == 'pycocotools'
    with pytest.raises(ValueError, match='pip install faster-coco-eval'):
        chosen('faster_coco_eval')


def test_auto_leaves_releases_that_were_not_compared(monkeypatch):
    monkeypatch.setattr(metadata, 'version', lambda name: '99.0')
    assert chosen('auto') == 'pycocotools'
    assert chosen('hotcoco') == 'hotcoco'


def test_classes_keep_their_names(tmp_path):
    """pycocotools sorts the classes by id; `cell` has the higher one."""
    images = [masks_of(6, 0)]
    content = truth(images)
    samples = results(images)
    found = samples[0]['pred_instances']
    keep = found['labels'] == 0
    samples[0]['pred_instances'] = {k: v[keep] for k, v in found.items()}
    got = judge(tmp_path, content, samples, metric='segm', classwise=True)
    assert got['coco/cell_precision'] == 1
    assert got['coco/disc_precision'] == 0
