"""Which annotations belong to an image, and what is drawn of them."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmseg_plugin.apis.data_parts import given_truth
from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import (
    SIZE,
    call,
    rle_of,
    write_data,
    write_model,
)
from tools import compare_predictions, predict


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def rename(root, name, to='a.png'):
    def change(content):
        for image in content['images']:
            if image['file_name'] == to:
                image['file_name'] = name

    edit(root / 'ann.json', change)


@pytest.fixture
def root(tmp_path):
    write_data(tmp_path)
    return tmp_path


@pytest.fixture
def ids(root, monkeypatch):
    """Image ids in what ``predict`` writes."""

    def run(source, *arguments):
        config, checkpoint = write_model(root)
        out = root.parent / f'{root.name}-out'
        shutil.rmtree(out, ignore_errors=True)
        where = ['--device', 'cpu', '--out', out]
        call(
            predict.main,
            monkeypatch,
            *(config, checkpoint, source, *where, *arguments),
        )
        rows = json.loads((out / 'instances.json').read_text())
        return {row['image_id'] for row in rows}

    return run


def test_spellings_of_one_file(root, ids):
    image = root / 'images' / 'a.png'
    sub = root / 'images' / 'sub' / 'b.png'
    for given, name, file in [
        ('a.png', './a.png', image),
        ('a.png', 'sub/../a.png', image),
        ('a.png', str(image), image),
        ('sub/b.png', 'sub\\b.png', sub),
        ('sub/b.png', '.\\sub\\b.png', sub),
        ('sub/b.png', str(sub), sub),
    ]:
        rename(root, name, given)
        number = 100 if given == 'a.png' else 101
        for options in [], ['--ann', root / 'ann.json']:
            assert ids(file, *options) == {number}, (name, options)
        rename(root, given, name)


@pytest.mark.parametrize('name', [r'C:\data\images\a.png', '/no/images/a.png'])
def test_paths_of_another_machine(root, ids, name):
    image = root / 'images' / 'a.png'
    rename(root, name)
    assert ids(image, '--ann', root / 'ann.json') == {100}
    # Nobody said that this image is that one.
    assert ids(image) == {'a.png'}


def test_links(root, ids, monkeypatch):
    away = root / 'away'
    away.mkdir()
    link = away / 'x.png'
    link.symlink_to(root / 'images' / 'a.png')
    folder = root / 'linked'
    folder.symlink_to(root / 'images', target_is_directory=True)
    assert ids(link) == {100}
    assert ids(folder / 'a.png') == {100}
    assert ids(folder / 'sub' / 'b.png') == {101}
    # The stored files lie elsewhere, the data set holds links.
    stored = root / 'stored.png'
    (root / 'images' / 'a.png').rename(stored)
    (root / 'images' / 'a.png').symlink_to(stored)
    assert ids(stored) == {100}
    assert ids(root / 'images' / 'a.png') == {100}
    monkeypatch.chdir(root / 'images' / 'sub')
    assert ids(Path('b.png')) == {101}
    assert ids(Path(os.pardir, 'a.png')) == {100}


def test_another_picture_of_the_same_name(root, ids):
    other = root / 'other' / 'a.png'
    other.parent.mkdir()
    shutil.copy(root / 'images' / 'a.png', other)
    assert ids(other) == {'a.png'}
    # With --ann the user says that they belong together.
    assert ids(other, '--ann', root / 'ann.json') == {100}
    picture = cv2.imread(str(other))
    cv2.imwrite(str(other), picture[:, :-4])
    assert ids(other, '--ann', root / 'ann.json') == {'a.png'}


def test_a_size_that_differs_is_said(root, ids, capsys):
    image = root / 'images' / 'a.png'
    cv2.imwrite(str(image), cv2.imread(str(image))[:-1])
    assert ids(image) == {'a.png'}
    assert 'a.png is drawn without ground truth' in capsys.readouterr().out


def test_ambiguity_is_no_match(root):
    def change(content):
        left = {'id': 1, 'file_name': 'left/0.png'}
        content['images'] = [left, {'id': 2, 'file_name': '0.png'}]

    edit(root / 'ann.json', change)
    classes = ['red', 'green']
    truth = GroundTruth(root / 'ann.json', classes)
    assert truth.find(root / 'left' / '0.png') is None
    assert truth.find(root / '0.png') == 2
    known = GroundTruth(root / 'ann.json', classes, folder=root)
    assert known.find(root / 'left' / '0.png') == 1
    assert known.find(root / '0.png') == 2
    twice = {'images': [{'id': i, 'file_name': '0.png'} for i in (1, 2)]}
    edit(root / 'ann.json', lambda content: content.update(twice))
    assert GroundTruth(root / 'ann.json', classes).find(root / '0.png') is None
    # Their sizes tell these two apart.
    for image, side in zip(twice['images'], (8, 9), strict=True):
        image.update(height=side, width=side)
    edit(root / 'ann.json', lambda content: content.update(twice))
    truth = GroundTruth(root / 'ann.json', classes)
    assert truth.find(root / '0.png', (9, 9)) == 2


NO_MASK = {
    'empty list': [],
    'empty polygon': [[]],
    'null': None,
    'point': [[3, 4]],
    'two points': [[3, 4, 9, 9]],
    'flat point': [3, 4],
}


@pytest.mark.parametrize('segmentation', NO_MASK.values(), ids=NO_MASK)
@pytest.mark.parametrize('asked', [True, False], ids=['ann', 'default'])
def test_objects_without_a_mask(root, ids, segmentation, asked):
    def change(content):
        for annotation in content['annotations']:
            annotation['segmentation'] = segmentation
            for key in ('id', 'area', 'iscrowd'):
                del annotation[key]

    edit(root / 'ann.json', change)
    options = ['--ann', root / 'ann.json'] if asked else []
    assert ids(root / 'images', *options) == {100, 101}
    truth = GroundTruth(root / 'ann.json', ['red', 'green'])
    boxes = truth.segments(100, SIZE)
    assert [s.box.tolist() for s in boxes] == [
        [5, 5, 15, 25],
        [30, 10, 50, 30],
    ]
    assert all(s.mask is None for s in boxes)
    edit(
        root / 'ann.json',
        lambda c: [a.pop('segmentation') for a in c['annotations']],
    )
    truth = GroundTruth(root / 'ann.json', ['red', 'green'])
    assert len(truth.segments(100, SIZE)) == 2


def test_the_box_comes_from_the_mask(root, ids):
    def change(content):
        for annotation, box in zip(
            content['annotations'], ([], None, 'gone', 'gone'), strict=True
        ):
            annotation['bbox'] = box
            annotation['id'] = 0
            if box == 'gone':
                del annotation['bbox']

    edit(root / 'ann.json', change)
    assert ids(root / 'images') == {100, 101}
    truth = GroundTruth(root / 'ann.json', ['red', 'green'])
    boxes = [
        s.box.tolist() for i in (100, 101) for s in truth.segments(i, SIZE)
    ]
    assert boxes == [
        *([5, 5, 15, 25], [30, 10, 50, 30]),
        *([2, 2, 10, 10], [20, 2, 28, 10]),
    ]


def test_polygons_of_every_form(root):
    polygon = [5, 5, 15, 5, 15, 25, 5, 25]
    forms = [[polygon], polygon, [polygon, [1, 1]], [[], polygon]]
    for form in forms:
        edit(
            root / 'ann.json',
            lambda c, form=form: c['annotations'][0].update(segmentation=form),
        )
        truth = GroundTruth(root / 'ann.json', ['red', 'green'])
        mask = truth.segments(100, SIZE)[0].mask
        assert mask.sum() == 200
        assert mask[5:25, 5:15].all()


def test_masks_of_another_size_are_named(root, ids):
    wrong = {
        'another size': rle_of((0, 0, 5, 5), (30, 30)),
        'runs of another size': {'size': list(SIZE), 'counts': [3, 4]},
    }
    wrong['compressed runs'] = {**rle_of((0, 0, 5, 5), (30, 30)), 'size': SIZE}
    for rle in wrong.values():
        edit(
            root / 'ann.json',
            lambda c, rle=rle: c['annotations'][0].update(segmentation=rle),
        )
        with pytest.raises(UserError, match=r'ann\.json.*annotation 1 of ima'):
            ids(root / 'images', '--ann', root / 'ann.json')
        # Nobody asked for it: the results are there all the same.
        assert ids(root / 'images') == {100, 101}


def test_an_unknown_iscrowd_is_named(root):
    edit(root / 'ann.json', lambda c: c['annotations'][0].update(iscrowd='0'))
    truth = GroundTruth(root / 'ann.json', ['red', 'green'])
    with pytest.raises(UserError, match="1 of image 100 has iscrowd '0'"):
        truth.segments(100, SIZE)


def test_two_categories_of_one_name(root, ids):
    def change(content):
        content['categories'].append({'id': 70, 'name': 'red'})

    edit(root / 'ann.json', change)
    with pytest.raises(UserError, match="two categories are named 'red'"):
        ids(root / 'images', '--ann', root / 'ann.json')


def test_panoptic_files_that_are_not_complete(root, ids, monkeypatch):
    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[5:25, 5:15, 2] = 3
    (root / 'panoptic').mkdir()
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(root / 'panoptic' / name), colours)
    square = {'id': 3, 'category_id': 7}
    absent = {'id': 4, 'category_id': 7, 'area': 0}
    images = ['a.png', 'sub/b.png', 'empty.png']
    content = {
        'images': [
            {'id': 100 + i, 'file_name': name} for i, name in enumerate(images)
        ],
        'annotations': [
            {
                'image_id': 100,
                'file_name': 'a.png',
                'segments_info': [square, absent],
            }
        ],
        'categories': [{'id': 7, 'name': 'red'}],
    }
    ann = root / 'panoptic.json'
    ann.write_text(json.dumps(content))
    assert ids(root / 'images', '--ann', ann) == {100, 101}
    truth = GroundTruth(ann, ['red', 'green'])
    (segment,) = truth.segments(100, SIZE)
    assert segment.box.tolist() == [5, 5, 15, 25]
    assert truth.segments(101, SIZE) == []
    config, checkpoint = write_model(root, kinds=('panoptic',))
    text = config.read_text()
    things = "classes=('red', 'green'), thing_classes=('red', 'green')"
    config.write_text(text.replace("classes=('red', 'green')", things))
    for file in (ann, root / 'ann.json'):
        edit(
            root / 'ann.json',
            lambda c: [a.update(segmentation=[]) for a in c['annotations']],
        )
        call(
            compare_predictions.main,
            monkeypatch,
            *(config, checkpoint, config, checkpoint, root / 'images'),
            *('--ann', file, '--out', root / f'compared-{file.stem}'),
            *('--device', 'cpu'),
        )
        assert (root / f'compared-{file.stem}' / 'panoptic' / 'a.png').exists()


@pytest.mark.parametrize('split', ['test', 'train'])
def test_the_config_says_where_maps_are(tmp_path, split):
    """In folders of other names, and found without a name of their own."""
    maps = tmp_path / 'masks' / 'left'
    maps.mkdir(parents=True)
    colours = np.zeros((*SIZE, 3), np.uint8)
    colours[5:25, 5:15, 2] = 3
    cv2.imwrite(str(maps / 'a.png'), colours)
    entry = {'image_id': 1, 'segments_info': [{'id': 3, 'category_id': 7}]}
    content = {
        'images': [{'id': 1, 'file_name': 'left/a.jpeg'}],
        'annotations': [entry],
        'categories': [{'id': 7, 'name': 'red'}],
    }
    ann = tmp_path / 'panoptic.json'
    ann.write_text(json.dumps(content))
    data = {
        'data_root': str(tmp_path),
        'ann_file': 'other.json',
        'data_prefix': {'img': 'images', 'seg': 'masks'},
    }
    loaders = {'test_dataloader': {'dataset': data}}
    named = {**data, 'ann_file': ann.name}
    loaders[f'{split}_dataloader'] = {'dataset': named}
    loader = {'dataset': data}
    truth = given_truth(ann, Config(loaders), ['red'])
    assert truth.find(tmp_path / 'images' / 'left' / 'a.jpeg') == 1
    (segment,) = truth.segments(1, SIZE)
    assert segment.box.tolist() == [5, 5, 15, 25]
    with pytest.raises(UserError, match='panoptic, but its maps are not in'):
        given_truth(ann, Config({'test_dataloader': loader}), ['red'])
