"""Our metric against perfect results, mmdet's metric, and odd truths."""

import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from pycocotools import mask as mask_utils

from mmseg_plugin.registry import METRICS

SIZE = (60, 80)
CLASSES = ('cell', 'disc')
IDS = {'cell': 40, 'disc': 7}


def masks_of(count: int, seed: int = 0) -> np.ndarray:
    """Rectangles, the last one touching the last pixel."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, *SIZE), bool)
    for mask in masks:
        y, x = rng.integers(0, 40), rng.integers(0, 60)
        mask[y : y + rng.integers(3, 20), x : x + rng.integers(3, 20)] = True
    return masks


def box_of(mask: np.ndarray) -> list[float]:
    encoded = mask_utils.encode(np.asfortranarray(mask, np.uint8))
    return mask_utils.toBbox(encoded).tolist()


def truth(images: list[np.ndarray]) -> dict:
    annotations = [
        {
            'id': 1 + 10 * i + k,
            'image_id': i,
            'category_id': IDS[CLASSES[k % 2]],
            'segmentation': {
                'size': list(SIZE),
                'counts': mask_utils.encode(np.asfortranarray(mask, np.uint8))[
                    'counts'
                ].decode(),
            },
            'bbox': box_of(mask),
            'area': int(mask.sum()),
            'iscrowd': 0,
        }
        for i, masks in enumerate(images)
        for k, mask in enumerate(masks)
    ]
    return {
        'images': [
            {'id': i, 'file_name': f'{i}.jpg', 'height': 60, 'width': 80}
            for i in range(len(images))
        ],
        'annotations': annotations,
        'categories': [{'id': i, 'name': n} for n, i in IDS.items()],
    }


def results(images: list[np.ndarray], noise: int = 0) -> list[dict]:
    """What a model found: the masks, moved by some pixels."""
    rng = np.random.default_rng(1)
    samples = []
    for i, masks in enumerate(images):
        found = np.stack([
            np.roll(m, rng.integers(-noise, noise + 1), 1) for m in masks
        ])  # fmt: skip
        boxes = np.array([box_of(m) for m in found])
        boxes[:, 2:] += boxes[:, :2]
        samples.append(
            {
                'img_id': i,
                'ori_shape': SIZE,
                'pred_instances': {
                    'bboxes': torch.tensor(boxes),
                    'scores': torch.tensor(rng.random(len(masks))),
                    'labels': torch.arange(len(masks)) % 2,
                    'masks': torch.tensor(found),
                },
            }
        )
    return samples


def judge(tmp_path, content, samples, kind=None, classes=CLASSES, **options):
    path = None
    if content is not None:
        path = str(tmp_path / 'truth.json')
        (tmp_path / 'truth.json').write_text(json.dumps(content))
    options = {'metric': ['bbox', 'segm'], 'ann_file': path, **options}
    metric = (
        kind(**options)
        if kind
        else METRICS.build(
            {'type': 'mmseg_plugin.CocoInstanceMetric', **options}
        )
    )
    metric.dataset_meta = {'classes': classes}
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.fixture
def images():
    return [masks_of(6, 0), masks_of(4, 1), masks_of(5, 2)]


@pytest.mark.parametrize('noise', [0, 3, 8])
def test_the_numbers_are_mmdets(tmp_path, images, noise):
    samples = results(images, noise)
    got = judge(tmp_path, truth(images), samples, classwise=True)
    expected = judge(
        tmp_path, truth(images), samples, CocoMetric, CLASSES, classwise=True
    )
    assert set(got) - set(expected) == {
        'coco/bbox_max_dets',
        'coco/segm_max_dets',
    }
    # mmdet gives the AP of `cell`, whose id is the higher, to `disc`.
    for name, other in zip(CLASSES, CLASSES[::-1], strict=True):
        swapped = expected.pop(f'coco/{other}_precision')
        assert got[f'coco/{name}_precision'] == pytest.approx(swapped)
    for key, value in expected.items():
        assert got[key] == pytest.approx(value, abs=1.1e-3), key


def drop(key):
    return lambda c: [a.pop(key) for a in c['annotations']]


def number(first):
    return lambda c: [
        a.update(id=first + i) for i, a in enumerate(c['annotations'])
    ]


ODD = {
    'ids from 0': number(0),
    'ids from -3': number(-3),
    'ids beyond 2**31': number(2**31),
    'ids beyond 2**53': number(2**53 + 1),
    'one id for all': lambda c: [a.update(id=0) for a in c['annotations']],
    'no id': drop('id'),
    'no iscrowd': drop('iscrowd'),
    'no area': drop('area'),
    'no bbox': drop('bbox'),
    'no info': lambda c: None,
    'other order': lambda c: c['categories'].reverse(),
    'more categories': lambda c: c['categories'].insert(
        0, {'id': 1, 'name': 'dust'}
    ),
}


@pytest.mark.parametrize('oddity', ODD)
def test_odd_truths_are_judged_as_clean_ones(tmp_path, images, oddity):
    samples = results(images, 3)
    expected = judge(tmp_path, truth(images), samples)
    content = truth(images)
    ODD[oddity](content)
    assert judge(tmp_path, content, samples) == expected
    assert judge(tmp_path, content, results(images))['coco/segm_mAP'] == 1


def test_without_a_file(tmp_path, images):
    samples = results(images, 3)
    expected = judge(tmp_path, truth(images), samples)
    content = truth(images)
    for sample in samples:
        sample['instances'] = [
            {
                'bbox': [x, y, x + w, y + h],
                'bbox_label': [IDS[c] for c in CLASSES].index(
                    a['category_id']
                ),
                'mask': a['segmentation'],
                'ignore_flag': 0,
            }
            for a in content['annotations']
            if a['image_id'] == sample['img_id']
            for x, y, w, h in [a['bbox']]
        ]
    assert judge(tmp_path, None, samples) == expected
    with pytest.raises(ValueError, match="list 'instances' in meta_keys"):
        judge(tmp_path, None, results(images))


def test_every_ap_is_taken_at_one_number_of_detections(tmp_path, caplog):
    """150 objects in an image: pycocotools' summary would count 100."""
    grid = np.zeros((150, *SIZE), bool)
    for i, mask in enumerate(grid):
        mask[i // 15 * 5 : i // 15 * 5 + 3, i % 15 * 5 : i % 15 * 5 + 3] = 1
    got = judge(tmp_path, truth([grid]), results([grid]), metric='segm')
    assert got['coco/segm_mAP'] == got['coco/segm_mAP_50'] == 1
    assert got['coco/segm_max_dets'] == 1000
    got = judge(
        *(tmp_path, truth([grid]), results([grid])),
        metric='segm',
        proposal_nums=(10, 30, 50),
        metric_items=['mAP', 'mAP_50', 'AR@10', 'AR@50', 'AR_s@50'],
    )
    # 50 of 75 objects of each class.
    assert got['coco/segm_mAP'] == pytest.approx(67 / 101, abs=1e-3)
    assert got['coco/segm_mAP_50'] == got['coco/segm_mAP']
    assert got['coco/segm_AR@10'] == pytest.approx(10 / 75, abs=1e-3)
    assert got['coco/segm_AR_s@50'] == pytest.approx(50 / 75, abs=1e-3)
    assert got['coco/segm_max_dets'] == 50


def test_an_rle_of_another_size_is_refused(tmp_path, images):
    samples = results(images)
    smaller = samples[1]['pred_instances']
    smaller['masks'] = smaller['masks'][:, ::2, ::2]
    with pytest.raises(ValueError, match='of image 1: its RLE is of size'):
        judge(tmp_path, truth(images), samples)
    content = truth(images)
    content['annotations'][7]['segmentation'] = {
        'size': list(SIZE),
        'counts': [7, 5],
    }
    with pytest.raises(
        ValueError, match=r'truth.json: annotation 12 of image 1: the runs'
    ):
        judge(tmp_path, content, results(images))


def test_a_score_that_is_no_number_is_refused(tmp_path, images):
    samples = results(images)
    samples[0]['pred_instances']['scores'][2] = np.nan
    with pytest.raises(ValueError, match='image 0 has no finite score'):
        judge(tmp_path, truth(images), samples)


@pytest.mark.parametrize('mask', [None, [], [[]], [[1, 2, 3, 4]]])
def test_an_object_without_a_mask_is_named(tmp_path, images, mask):
    content = truth(images)
    content['annotations'][7]['segmentation'] = mask
    with pytest.raises(
        ValueError, match=r'truth.json: annotation 12 of image 1 has no mask'
    ):
        judge(tmp_path, content, results(images))
    got = judge(tmp_path, content, results(images), metric='bbox')
    assert got['coco/bbox_mAP'] == 1


def test_nothing_found_and_nothing_judged(tmp_path, images):
    samples = results(images)
    for sample in samples:
        found = sample['pred_instances']
        sample['pred_instances'] = {k: v[:0] for k, v in found.items()}
    got = judge(tmp_path, truth(images), samples)
    assert got['coco/segm_mAP'] == got['coco/bbox_mAP'] == 0
    with pytest.raises(ValueError, match='no image of .*truth.json'):
        judge(tmp_path, truth(images), [])


@pytest.mark.parametrize('crowd', [True, False])
def test_a_truth_of_crowds_alone_is_told(tmp_path, images, crowd, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmengine.logging.MMLogger.warning',
        lambda self, line: lines.append(line),
    )
    content = truth(images)
    for annotation in content['annotations'][not crowd :]:
        annotation['iscrowd'] = 1
    got = judge(tmp_path, content, results(images))
    assert (got['coco/segm_mAP'] == -1) == crowd
    assert [('15 annotations, all' in line) for line in lines] == [
        True
    ] * crowd


def test_a_class_that_the_file_lacks(tmp_path, images):
    samples = results(images)
    for sample in samples:
        sample['pred_instances']['labels'] += 1
    got = judge(tmp_path, truth(images), samples, classes=('rust', *CLASSES))
    assert got['coco/segm_mAP'] == 1
    with pytest.raises(ValueError, match='no category of .*truth.json'):
        judge(tmp_path, truth(images), samples, classes=('rust',))


def test_results_are_written_without_a_truth(tmp_path, images):
    content = truth(images)
    del content['annotations']
    got = judge(
        *(tmp_path, content, results(images)),
        format_only=True,
        outfile_prefix=str(tmp_path / 'out'),
    )
    assert not got
    rows = json.loads((tmp_path / 'out.segm.json').read_text())
    assert {row['category_id'] for row in rows} == set(IDS.values())
    assert len(rows) == 15


@pytest.mark.parametrize('kind', ['proposal', 'proposal_fast'])
def test_proposals_are_mmdets(tmp_path, kind):
    # mmdet's fast recall takes images with as many boxes only.
    images = [masks_of(5, seed) for seed in range(3)]
    samples = results(images, 3)
    got = judge(tmp_path, truth(images), samples, metric=kind)
    expected = judge(tmp_path, truth(images), samples, CocoMetric, metric=kind)
    assert got == expected
    assert got


@pytest.mark.parametrize(
    ('options', 'says'),
    [
        ({'proposal_nums': ()}, r'proposal_nums is \[\]'),
        ({'proposal_nums': (100, 0)}, r'proposal_nums is \[100, 0\]'),
        ({'proposal_nums': (100.0,)}, r'proposal_nums is \[100.0\]'),
        ({'proposal_nums': None}, 'CocoInstanceMetric: .*NoneType'),
        ({'metric': 'mask'}, "should be one of 'bbox', .* but got mask"),
        ({'metric': 'proposal_fast'}, "different numbers .* take 'proposal'"),
    ],
)
def test_options_that_mean_nothing_are_named(tmp_path, images, options, says):
    with pytest.raises(ValueError, match=says):
        judge(tmp_path, truth(images), results(images), **options)


def arrays_in(value) -> int:
    """Bytes of the arrays and tensors somewhere in a value."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.nbytes
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return sum(map(arrays_in, value))
    return 0


@pytest.mark.parametrize('form', ['tensor', 'rle'])
def test_a_pass_keeps_no_dense_masks(tmp_path, form):
    images = [masks_of(6, seed) for seed in range(300)]
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(truth(images)))
    metric = METRICS.build(
        {
            'type': 'mmseg_plugin.CocoInstanceMetric',
            'metric': 'segm',
            'ann_file': str(path),
        }
    )
    metric.dataset_meta = {'classes': CLASSES}
    for sample in results(images):
        found = sample['pred_instances']
        if form == 'rle':
            found['masks'] = [
                mask_utils.encode(np.asfortranarray(m.numpy(), np.uint8))
                for m in found['masks']
            ]
        metric.process({}, [sample])
        # Boxes (8 numbers), scores and labels.
        assert arrays_in(metric.results[-1]) <= 6 * 48
    assert all(
        isinstance(mask['counts'], str | bytes)
        for _, row in metric.results
        for mask in row['masks']
    )
    assert metric.evaluate(300)['coco/segm_mAP'] == 1
