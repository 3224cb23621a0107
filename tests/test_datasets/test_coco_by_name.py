"""Labels, ids and faults of COCO files, as data sets read them."""

import gc
import json
import os
from pathlib import Path

import mmcv
import numpy as np
import pytest
from mmengine.dataset import ConcatDataset
from mmengine.logging import MMLogger
from PIL import Image

from mmseg_plugin.datasets import CocoInstanceDataset, CocoPanopticDataset
from tests.test_datasets import panoptic_folder as folder

LOAD = [
    {'type': 'LoadImageFromFile'},
    {'type': 'mmdet.LoadAnnotations', 'with_bbox': True, 'with_mask': True},
]
LOAD_PANOPTIC = [
    {'type': 'LoadImageFromFile'},
    {'type': 'mmseg_plugin.LoadPanopticAnnotations'},
]
CLASSES = ('crack', 'stain')


def square(x: int, size: int = 4) -> list:
    return [[x, 2, x + size, 2, x + size, 2 + size, x, 2 + size]]


def instances(root, order=CLASSES, **changes) -> str:
    """Two images, a stain in the first, a crack and a stain in the other."""
    ids = {'crack': 5, 'stain': 90, 'dust': 7}
    shown = [(0, 'stain', 1), (1, 'crack', 2), (1, 'stain', 10)]
    annotations = [
        {
            'id': i,
            'image_id': image,
            'category_id': ids[name],
            'segmentation': square(x),
            'bbox': [x, 2, 4, 4],
            'area': 16,
            'iscrowd': 0,
            **changes,
        }
        for i, (image, name, x) in enumerate(shown)
    ]
    for i in range(2):
        mmcv.imwrite(np.zeros((12, 20, 3), np.uint8), str(root / f'{i}.jpg'))
    content = {
        'images': [
            {'id': i, 'file_name': f'{i}.jpg', 'height': 12, 'width': 20}
            for i in range(2)
        ],
        'annotations': annotations,
        'categories': [{'id': ids[name], 'name': name} for name in order],
    }
    return write(root, content)


def write(root, content, name='truth.json') -> str:
    (root / name).write_text(json.dumps(content))
    return str(root / name)


def edit(path, change) -> str:
    content = json.loads(Path(path).read_text())
    change(content)
    Path(path).write_text(json.dumps(content))
    return path


def data_set(path, root, **options) -> CocoInstanceDataset:
    options = {'pipeline': LOAD, 'metainfo': {'classes': CLASSES}, **options}
    return CocoInstanceDataset(
        ann_file=path, data_prefix={'img': str(root)}, **options
    )


def labels(dataset) -> list[list[int]]:
    return [
        [i['bbox_label'] for i in dataset.get_data_info(k)['instances']]
        for k in range(len(dataset))
    ]


@pytest.fixture
def warnings(monkeypatch):
    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(
        logger, '_log', lambda level, text, *a, **k: lines.append(text)
    )
    return lines


@pytest.mark.parametrize(
    'order', [CLASSES, CLASSES[::-1], ('dust', 'stain', 'crack')]
)
def test_labels_follow_the_names(tmp_path, order):
    dataset = data_set(instances(tmp_path, order), tmp_path)
    assert labels(dataset) == [[1], [0, 1]]
    both = ConcatDataset([dataset, data_set(instances(tmp_path), tmp_path)])
    assert labels(both) == [[1], [0, 1]] * 2


def test_a_class_that_the_file_lacks_shifts_no_label(tmp_path, warnings):
    path = instances(tmp_path)
    dataset = data_set(
        path, tmp_path, metainfo={'classes': ('rust', *CLASSES)}
    )
    assert labels(dataset) == [[2], [1, 2]]
    assert any('1 of 3 classes: rust' in line for line in warnings)
    with pytest.raises(ValueError, match='no category of .*truth.json'):
        data_set(path, tmp_path, metainfo={'classes': ('rust',)})


def test_two_categories_of_one_name(tmp_path):
    path = instances(tmp_path, ('crack', 'stain', 'dust'))
    edit(path, lambda c: c['categories'][2].update(name='stain'))
    with pytest.raises(ValueError, match="two categories are named 'stain'"):
        data_set(path, tmp_path)


@pytest.mark.parametrize('lacks', ['id', 'iscrowd', 'area', 'bbox'])
def test_a_missing_field_changes_nothing(tmp_path, lacks):
    expected = data_set(instances(tmp_path), tmp_path)
    expected = [expected[i]['instances'] for i in range(2)]
    path = instances(tmp_path)
    edit(path, lambda c: [a.pop(lacks) for a in c['annotations']])
    dataset = data_set(path, tmp_path)
    assert [dataset[i]['instances'] for i in range(2)] == expected


@pytest.mark.parametrize('ids', [[0, 0, 0], [2**31, 2**40, 2**53], [-1, 0, 1]])
def test_ids_are_free(tmp_path, ids):
    path = instances(tmp_path)
    edit(
        path,
        lambda c: [
            a.update(id=i) for a, i in zip(c['annotations'], ids, strict=True)
        ],
    )
    assert labels(data_set(path, tmp_path)) == [[1], [0, 1]]


def test_reading_leaves_what_mmdet_leaves(tmp_path):
    found = data_set(instances(tmp_path), tmp_path)
    assert found.cat_img_map == {5: [1], 90: [0, 1]}
    assert gc.isenabled()
    # A second call reads nothing.
    os.remove(found.ann_file)
    found.full_init()
    assert len(found) == 2


@pytest.mark.parametrize('mask', [None, [], [[]], [[1, 2, 3, 4]]])
def test_an_object_without_a_mask(tmp_path, mask):
    path = instances(tmp_path)
    edit(path, lambda c: c['annotations'][1].update(segmentation=mask))
    with pytest.raises(ValueError, match='annotation 1 of image 1 has no ma'):
        data_set(path, tmp_path)
    # Only boxes are asked for, or only shown.
    boxes = [LOAD[0], {'type': 'mmdet.LoadAnnotations', 'with_bbox': True}]
    assert labels(data_set(path, tmp_path, pipeline=boxes)) == [[1], [0, 1]]
    shown = data_set(path, tmp_path, test_mode=True)[1]
    assert shown['gt_masks'].areas.tolist() == [0, 16]
    edit(path, lambda c: c['annotations'][1].update(ignore=1))
    assert labels(data_set(path, tmp_path)) == [[1], [1]]


@pytest.mark.parametrize(
    ('part', 'field', 'value', 'says'),
    [
        ('images', 'height', '12', "height.*'12'"),
        ('images', 'width', 0, 'width.*0'),
        ('images', 'width', None, '0.jpg has width None'),
        ('images', 'file_name', None, r'images\[0\] has no file_name'),
        ('annotations', 'area', 'big', "area.*'big'"),
        ('annotations', 'area', float('nan'), 'annotation 0 .*area nan'),
        ('annotations', 'bbox', ['a'] * 4, 'annotation 0 .*bbox'),
    ],
)
def test_what_is_no_number_is_named(tmp_path, part, field, value, says):
    path = instances(tmp_path)
    edit(path, lambda c: c[part][0].update({field: value}))
    with pytest.raises(ValueError, match=f'truth.json: .*{says}'):
        data_set(path, tmp_path)


def test_a_damaged_rle_is_named(tmp_path):
    rle = {'size': [12, 20], 'counts': [100, 20]}
    path = instances(tmp_path)
    edit(path, lambda c: c['annotations'][2].update(segmentation=rle))
    with pytest.raises(ValueError, match='annotation 2 of image 1: the runs'):
        data_set(path, tmp_path)


def test_rles_of_runs_are_trained_on(tmp_path):
    rle = {'size': [12, 20], 'counts': [100, 20, 120]}
    dataset = data_set(instances(tmp_path, segmentation=rle), tmp_path)
    assert dataset[0]['gt_masks'].areas.tolist() == [20]
    assert not dataset[0]['gt_ignore_flags'].any()


def test_a_set_of_crowds_is_refused_before_training(tmp_path, warnings):
    path = instances(tmp_path, iscrowd=1)
    with pytest.raises(ValueError, match='all 3 of its classes are crowds'):
        data_set(path, tmp_path)
    assert labels(data_set(path, tmp_path, test_mode=True)) == [[1], [0, 1]]
    edit(path, lambda c: c['annotations'][0].update(iscrowd=0))
    data_set(path, tmp_path)
    assert any('2 objects are crowds' in line for line in warnings)
    assert any('1 of 2 classes: crack' in line for line in warnings)


def test_a_set_without_objects_is_refused_before_training(tmp_path):
    path = instances(tmp_path, area=0)
    with pytest.raises(ValueError, match='teaches no object: none of its'):
        data_set(path, tmp_path)


def panoptic(root, **options) -> CocoPanopticDataset:
    return CocoPanopticDataset(
        ann_file=str(root / 'panoptic.json'),
        data_prefix={'img': str(root / 'img'), 'seg': str(root / 'seg')},
        **{'metainfo': folder.METAINFO, 'pipeline': LOAD_PANOPTIC, **options},
    )


@pytest.fixture
def root(tmp_path):
    folder.write(tmp_path)
    return tmp_path


def change(root, function) -> None:
    edit(str(root / 'panoptic.json'), function)


def segments(dataset, index: int) -> dict:
    info = dataset.get_data_info(index)['segments_info']
    return {s['id']: s['category'] for s in info}


def test_panoptic_labels_follow_the_names(root):
    expected = [segments(panoptic(root), i) for i in range(2)]
    assert expected[0] == {
        folder.CUP: 0,
        folder.CROWD: 1,
        folder.SKY: 2,
    }
    first = panoptic(root)
    change(root, lambda c: c['categories'].reverse())
    assert [segments(panoptic(root), i) for i in range(2)] == expected
    both = ConcatDataset([first, panoptic(root)])
    assert [segments(both, i) for i in range(4)] == expected * 2


def test_panoptic_files_may_have_more_categories(root):
    meta = {**folder.METAINFO, 'classes': ('cup', 'sky')}
    dataset = panoptic(root, metainfo=meta)
    assert segments(dataset, 0) == {folder.CUP: 0, folder.SKY: 1}
    seg = dataset[0]['gt_seg_map']
    assert (seg[folder.id_maps()[0] == folder.CROWD] == 255).all()


@pytest.mark.parametrize(
    ('image', 'map_name'),
    [
        ('0.jpeg', '0.png'),
        ('0.JPG', '0.png'),
        ('0.bmp', '0_GT.png'),
        ('left/0.jpg', 'left/0.png'),
        ('0.png', '0.png'),
    ],
)
def test_maps_are_found_by_the_name_of_their_entry(root, image, map_name):
    expected = panoptic(root)[0]['gt_masks'].masks
    for old, new in (('img/0.jpg', f'img/{image}'), ('seg/0.png', map_name)):
        new = root / (new if new.startswith('img') else f'seg/{new}')
        new.parent.mkdir(exist_ok=True)
        (root / old).rename(new)
    change(root, lambda c: c['images'][0].update(file_name=image))
    change(root, lambda c: c['annotations'][0].update(file_name=map_name))
    np.testing.assert_array_equal(
        panoptic(root)[0]['gt_masks'].masks, expected
    )


@pytest.mark.parametrize('null', [False, True])
@pytest.mark.parametrize('lacks', ['bbox', 'area', 'iscrowd'])
def test_a_missing_field_of_a_segment(root, lacks, null):
    def pop(content):
        for segment in content['annotations'][1]['segments_info']:
            segment.pop(lacks)
            if null:
                segment[lacks] = None

    expected = panoptic(root)[1]['instances']
    change(root, pop)
    assert panoptic(root)[1]['instances'] == expected


@pytest.mark.parametrize(
    ('fault', 'says'),
    [
        ({'id': 0}, ' has a segment of id 0'),
        ({'id': folder.SKY}, f' has two segments of id {folder.SKY}'),
        ({'category_id': 99}, 'is of category 99, which is not in categ'),
        ({'area': float('nan')}, 'its area nan is not a number'),
        ({'bbox': [0, 0, '3', 3]}, 'its bbox .* is not x, y'),
    ],
)
def test_damaged_segments_are_named(root, fault, says):
    change(
        root, lambda c: c['annotations'][0]['segments_info'][0].update(fault)
    )
    with pytest.raises(ValueError, match=f'panoptic.json: image 0.*{says}'):
        panoptic(root)


def test_an_image_without_an_entry(root):
    change(root, lambda c: c['annotations'].pop(0))
    with pytest.raises(ValueError, match=r'image 0 \(0.jpg\) has no entry'):
        panoptic(root)
    dataset = panoptic(root, test_mode=True)
    assert dataset.get_data_info(0)['seg_map_path'] is None
    assert dataset.get_data_info(0)['segments_info'] == []


def test_things_that_the_file_calls_stuff(root, warnings):
    def call(number, *places):
        return lambda c: [
            c['categories'][i].update(isthing=number) for i in places
        ]

    change(root, call(0, 0, 1))
    with pytest.raises(ValueError, match='isthing is 0 for all of cup, cat'):
        panoptic(root)
    change(root, call(1, 0, 2))
    panoptic(root)
    assert any('isthing is 0 for cat' in line for line in warnings)
    assert any('isthing is 1 for sky' in line for line in warnings)


def test_panoptic_crowds_teach_nothing(root):
    def crowds(content):
        for entry in content['annotations']:
            for segment in entry['segments_info']:
                segment['iscrowd'] = 1

    change(root, crowds)
    with pytest.raises(ValueError, match='teaches no thing: all 4 of its'):
        panoptic(root)


def test_the_other_kind_of_file(root, tmp_path):
    with pytest.raises(ValueError, match='is a panoptic file'):
        data_set(
            *(str(root / 'panoptic.json'), root),
            metainfo={'classes': ('cup', 'cat')},
        )
    change(root, lambda c: c['annotations'][0].update(segments_info=None))
    with pytest.raises(ValueError, match='is not a panoptic file'):
        panoptic(root)


def test_a_picture_turned_by_its_orientation_is_refused(tmp_path):
    """The file has the stored size, 12 x 20; loaded it is 20 x 12."""
    path = instances(tmp_path)
    turned = Image.Exif()
    turned[0x0112] = 6
    stored = Image.fromarray(np.zeros((12, 20, 3), np.uint8))
    stored.save(tmp_path / '0.jpg', exif=turned)
    said = r'0.jpg is of 20 x 12 pixels .* with 12 x 20: .*ignore_orient'
    with pytest.raises(ValueError, match=said):
        data_set(path, tmp_path)[0]
    as_stored = {**LOAD[0], 'color_type': 'color_ignore_orientation'}
    got = data_set(path, tmp_path, pipeline=[as_stored, LOAD[1]])[0]
    assert got['img'].shape[:2] == got['gt_masks'].masks.shape[1:] == (12, 20)
    # Boxes alone may be of any size, and the metric looks at test images.
    boxes = {**LOAD[1], 'with_mask': False}
    assert data_set(path, tmp_path, pipeline=[LOAD[0], boxes])[0]
    assert data_set(path, tmp_path, test_mode=True)[0]
    edit(path, lambda c: c['images'][1].update(height=13))
    with pytest.raises(ValueError, match='1.jpg is of .* with 13 x 20$'):
        data_set(path, tmp_path)[1]
