import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData

from mmseg_plugin.datasets.transforms.load_panoptic import read_segment_ids
from mmseg_plugin.registry import METRICS
from tests.test_datasets import panoptic_folder as folder

VOID = 3
KEYS = {
    f'coco_panoptic/{key}{suffix}'
    for key in ('PQ', 'SQ', 'RQ')
    for suffix in ('', '_th', '_st')
}


@pytest.fixture
def root(tmp_path):
    folder.write(tmp_path)
    return tmp_path


def perfect(index: int) -> torch.Tensor:
    """The ground truth as a prediction: class + 1000 * instance."""
    label = {
        0: VOID,
        folder.CUP: 1000,
        folder.CUP + 1: 1000,
        folder.CAT: 1001,
        folder.SKY: 2,
        folder.CROWD: VOID,
    }
    ids = folder.id_maps()[index]
    return torch.tensor(np.vectorize(label.get)(ids))


def sample(root, index: int, encoded: torch.Tensor, **meta) -> DetDataSample:
    found = DetDataSample(
        metainfo={
            'img_id': index,
            'img_path': str(root / f'img/{index}.jpg'),
            'ori_shape': (6, 8),
            **meta,
        }
    )
    found.pred_panoptic_seg = PixelData(sem_seg=encoded[None].int())
    return found


def evaluate(root, maps, metas=({}, {}), **metric) -> dict:
    config = {
        'type': 'mmseg_plugin.CocoPanopticMetric',
        'ann_file': str(root / 'panoptic.json'),
        'seg_prefix': str(root / 'seg'),
        **metric,
    }
    evaluator = Evaluator(METRICS.build(config))
    evaluator.dataset_meta = folder.METAINFO
    for i, (encoded, meta) in enumerate(zip(maps, metas, strict=True)):
        evaluator.process([sample(root, i, encoded, **meta)])
    return evaluator.evaluate(len(maps))


@pytest.mark.parametrize('nproc', [0, 2])
def test_ground_truth_as_prediction_is_perfect(root, nproc):
    got = evaluate(root, [perfect(0), perfect(1)], nproc=nproc)
    assert set(got) == KEYS
    assert set(got.values()) == {100.0}


def test_a_missed_and_a_made_up_segment(root):
    first = perfect(0)
    first[first == 1000] = VOID  # a cup is missed
    second = perfect(1)
    second[second == 1001] = 1000 + 1000  # the cat is called a cup
    got = evaluate(root, [first, second])
    # cup: one found, one missed, one made up; cat: missed; sky: found.
    assert got['coco_panoptic/PQ_th'] == pytest.approx(100 * 0.5 / 2)
    assert got['coco_panoptic/SQ_th'] == pytest.approx(100 * 1 / 2)
    assert got['coco_panoptic/PQ_st'] == 100
    assert got['coco_panoptic/PQ'] == pytest.approx(100 * 1.5 / 3)


def test_a_cat_on_the_crowd_of_cats_is_ignored(root):
    first = perfect(0)
    first[folder.id_maps()[0] == folder.CROWD] = 1001
    got = evaluate(root, [first, perfect(1)])
    assert got['coco_panoptic/PQ'] == 100
    first[first == 1001] = 2000  # a cup there is wrong
    got = evaluate(root, [first, perfect(1)])
    assert got['coco_panoptic/RQ_th'] == pytest.approx(100 * (0.8 + 1) / 2)


def test_class_0_as_stuff_is_not_void(root):
    content = json.loads((root / 'panoptic.json').read_text())
    for category in content['categories']:
        category['isthing'] = 0
    (root / 'panoptic.json').write_text(json.dumps(content))
    maps = [perfect(0), perfect(1)]
    for encoded in maps:
        encoded[encoded == 1000] = 0
    assert evaluate(root, maps)['coco_panoptic/PQ'] == 100


def test_a_set_without_stuff_has_no_stuff_quality(root):
    content = json.loads((root / 'panoptic.json').read_text())
    for category in content['categories']:
        category['isthing'] = 1
    (root / 'panoptic.json').write_text(json.dumps(content))
    got = evaluate(root, [perfect(0), perfect(1)])
    assert got['coco_panoptic/PQ_th'] == 100
    assert np.isnan(got['coco_panoptic/PQ_st'])


def test_without_an_annotation_file(root):
    category = {7: 0, 20: 1, 33: 2}
    content = json.loads((root / 'panoptic.json').read_text())
    metas = [
        {
            'seg_map_path': str(root / f'seg/{i}.png'),
            'segments_info': [
                {
                    'id': s['id'],
                    'category': category[s['category_id']],
                    'is_thing': s['category_id'] != 33 and not s['iscrowd'],
                }
                for s in content['annotations'][i]['segments_info']
            ],
        }
        for i in range(2)
    ]
    first = perfect(0)
    first[folder.id_maps()[0] == folder.CROWD] = 1001
    got = evaluate(
        root, [first, perfect(1)], metas, ann_file=None, seg_prefix=None
    )
    assert set(got.values()) == {100.0}
    with pytest.raises(ValueError, match="list 'segments_info' in meta_keys"):
        evaluate(root, [perfect(0), perfect(1)], ann_file=None)


def test_classwise_table(root, monkeypatch):
    printed = []
    monkeypatch.setattr('mmengine.logging.MMLogger.info', printed.append)
    second = perfect(1)
    second[second == 1001] = VOID
    evaluate(root, [perfect(0), second])
    assert not printed
    evaluate(root, [perfect(0), second], classwise=True)
    rows = [line.strip('|').split('|') for line in printed[0].splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows if len(row) > 1]
    assert cells[1:] == [
        ['cup', '100.00', '100.00', '100.00'],
        ['cat', '0.00', '0.00', '0.00'],
        ['sky', '100.00', '100.00', '100.00'],
    ]


def test_written_results_can_be_read_back(root):
    prefix = str(root / 'out/run')
    maps = [perfect(0), perfect(1)]
    got = evaluate(root, maps, format_only=True, outfile_prefix=prefix)
    assert not got
    entries = json.loads((root / 'out/run.panoptic.json').read_text())
    for i, entry in enumerate(entries['annotations']):
        assert entry['image_id'] == i
        ids = read_segment_ids(f'{prefix}.panoptic/{entry["file_name"]}')
        listed = {s['id']: s['category_id'] for s in entry['segments_info']}
        assert set(np.unique(ids)) - {0} == set(listed)
        assert np.array_equal(ids == 0, maps[i].numpy() == VOID)
    # Sky and a cup in the first image.
    assert sorted(listed.values()) == [7, 20]


def test_results_need_no_ground_truth(root):
    content = json.loads((root / 'panoptic.json').read_text())
    categories = {'categories': content['categories']}
    (root / 'panoptic.json').write_text(json.dumps(categories))
    prefix = str(root / 'out/run')
    evaluate(
        root,
        [perfect(0), perfect(1)],
        seg_prefix=None,
        format_only=True,
        outfile_prefix=prefix,
    )
    entries = json.loads((root / 'out/run.panoptic.json').read_text())
    assert [
        sorted(s['category_id'] for s in entry['segments_info'])
        for entry in entries['annotations']
    ] == [[7, 33], [7, 20]]


def test_results_may_be_written_beside_the_evaluation(root):
    got = evaluate(
        root, [perfect(0), perfect(1)], outfile_prefix=str(root / 'out/run')
    )
    assert got['coco_panoptic/PQ'] == 100
    assert (root / 'out/run.panoptic/0.png').exists()


def test_bad_use_is_named(root):
    with pytest.raises(ValueError, match='outfile_prefix'):
        evaluate(root, [], [], format_only=True)
    content = json.loads((root / 'panoptic.json').read_text())
    content['annotations'] = content['annotations'][:1]
    (root / 'panoptic.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='image_id 1'):
        evaluate(root, [perfect(0), perfect(1)])
    content['categories'][1]['name'] = 'dog'
    (root / 'panoptic.json').write_text(json.dumps(content))
    # Results for a server, with an id that it does not know.
    options = {'format_only': True, 'outfile_prefix': str(root / 'out')}
    with pytest.raises(ValueError, match='cat'):
        evaluate(root, [perfect(0), perfect(1)], **options)
    for category in content['categories']:
        category['name'] += '!'
    (root / 'panoptic.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='cat'):
        evaluate(root, [perfect(0), perfect(1)])


def edit(root, change) -> None:
    path = root / 'panoptic.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    'change',
    [
        lambda c: c['categories'].reverse(),
        lambda c: c['categories'].insert(
            0, {'id': 1, 'name': 'dust', 'isthing': 1}
        ),
        # The metainfo says so.
        lambda c: [x.pop('isthing') for x in c['categories']],
        lambda c: [x.update(isthing=None) for x in c['categories']],
    ],
)
def test_names_not_places_tie_classes_to_the_file(root, change):
    edit(root, change)
    got = evaluate(root, [perfect(0), perfect(1)])
    assert set(got.values()) == {100.0}


@pytest.mark.parametrize('area', [0, 1, 700, 12.5])
def test_an_area_that_is_not_of_the_map_is_named(root, area):
    def change(content):
        for segment in content['annotations'][1]['segments_info']:
            segment['area'] = area if segment['id'] == folder.CAT else 16

    edit(root, change)
    if area == 12.5:
        got = evaluate(root, [perfect(0), perfect(1)])
        assert got['coco_panoptic/PQ'] == pytest.approx(100, rel=0.02)
        return
    says = f'1.png has 12 pixels of id 256, whose area is listed as {area}'
    with pytest.raises(ValueError, match=says):
        evaluate(root, [perfect(0), perfect(1)])


def test_a_class_that_the_file_lacks_has_false_positives_alone(root):
    def rename(content):
        content['categories'][1]['name'] = 'dog'

    edit(root, rename)
    got = evaluate(root, [perfect(0), perfect(1)])
    # Cups and sky are right, the cat is not in the truth.
    assert got['coco_panoptic/PQ'] == pytest.approx(200 / 3)
    second = perfect(1)
    second[second == 1001] = VOID
    assert evaluate(root, [perfect(0), second])['coco_panoptic/PQ'] == 100


def test_other_categories_of_the_file_do_not_count(root):
    def rename(content):
        content['categories'][1]['name'] = 'dog'
        content['categories'].append({'id': 8, 'name': 'cat', 'isthing': 1})

    edit(root, rename)
    second = perfect(1)
    second[second == 1001] = VOID
    # The dog is no class; nothing is a cat.
    assert evaluate(root, [perfect(0), second])['coco_panoptic/PQ'] == 100


@pytest.mark.parametrize(
    ('fault', 'says'),
    [
        ({'id': 0}, 'image 0 has a segment of id 0'),
        ({'id': folder.SKY}, f'image 0 has two segments of id {folder.SKY}'),
        ({'category_id': 99}, 'image 0: segment .* is of category 99'),
        ({'category_id': None}, 'image 0: segment .* is of category None'),
    ],
)
def test_a_damaged_truth_is_named(root, fault, says):
    edit(root, lambda c: c['annotations'][0]['segments_info'][0].update(fault))
    with pytest.raises(ValueError, match=f'panoptic.json: {says}'):
        evaluate(root, [perfect(0), perfect(1)])


@pytest.mark.parametrize('lacks', ['area', 'bbox', 'iscrowd'])
def test_a_missing_field_of_a_segment(root, lacks):
    edit(
        root,
        lambda c: [s.pop(lacks) for s in c['annotations'][1]['segments_info']],
    )
    got = evaluate(root, [perfect(0), perfect(1)])
    assert set(got.values()) == {100.0}


def test_no_results_are_named(root):
    for name in ('CocoPanopticMetric', 'ThingConfusionMetric'):
        with pytest.raises(ValueError, match='no image of .*panoptic.json'):
            evaluate(root, [], [], type=f'mmseg_plugin.{name}')


def test_images_without_a_prediction_are_noticed(root, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmengine.logging.MMLogger.warning',
        lambda self, line: lines.append(line),
    )
    got = evaluate(root, [perfect(0)], [{}])
    assert got['coco_panoptic/PQ'] == 100
    assert len(lines) == 1
    assert '1 of 2 images of' in lines[0]
    assert 'such as image_id 1' in lines[0]
    metric = METRICS.build(
        {
            'type': 'mmseg_plugin.CocoPanopticMetric',
            'ann_file': str(root / 'panoptic.json'),
            'seg_prefix': str(root / 'seg'),
        }
    )
    metric.dataset_meta = folder.METAINFO
    metric.process({}, [sample(root, 0, perfect(0)).to_dict()])
    with pytest.raises(ValueError, match='1 of 2 images of the data set'):
        metric.evaluate(2)


def test_equally_named_images_keep_their_maps(root):
    """``left/0.jpg`` and ``right/0.jpg``, as cameras name them."""
    sides = ('left', 'right')
    for i, side in enumerate(sides):
        (root / f'seg/{side}').mkdir()
        (root / f'seg/{i}.png').rename(root / f'seg/{side}/0.png')
    metas = [{'img_path': str(root / f'img/{side}/0.jpg')} for side in sides]
    maps = [perfect(0), perfect(1)]

    def rename(content):
        for i, side in enumerate(sides):
            content['images'][i]['file_name'] = f'{side}/0.jpg'
            content['annotations'][i]['file_name'] = f'{side}/0.png'

    edit(root, rename)
    content = json.loads((root / 'panoptic.json').read_text())
    label = {c['id']: i for i, c in enumerate(content['categories'])}
    for ann_file in (str(root / 'panoptic.json'), None):
        for i, entry in enumerate(content['annotations']):
            metas[i]['segments_info'] = [
                {
                    'id': s['id'],
                    'category': label[s['category_id']],
                    'is_thing': s['category_id'] != 33 and not s['iscrowd'],
                }
                for s in entry['segments_info']
            ]
        prefix = str(root / f'out/{ann_file is None}')
        got = evaluate(
            *(root, maps, metas), ann_file=ann_file, outfile_prefix=prefix
        )
        assert set(got.values()) == {100.0}
        entries = json.loads((root / f'{prefix}.panoptic.json').read_text())
        names = [e['file_name'] for e in entries['annotations']]
        assert len(set(names)) == 2
        for name, encoded in zip(names, maps, strict=True):
            ids = read_segment_ids(f'{prefix}.panoptic/{name}')
            assert np.array_equal(ids == 0, encoded.numpy() == VOID)
    assert names == ['0.png', 'right/0.png']


def test_more_classes_than_ids_have_room_for(root):
    metric = METRICS.build({'type': 'mmseg_plugin.CocoPanopticMetric'})
    metric.dataset_meta = {'classes': tuple(range(1000))}
    with pytest.raises(ValueError, match='at most 999'):
        metric.process({}, [sample(root, 0, perfect(0)).to_dict()])
