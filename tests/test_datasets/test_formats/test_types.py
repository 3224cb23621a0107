"""Files of other tools whose keys hold what they should not."""

import json
import re

import pytest
import yaml

from mmseg_plugin.apis.front_door import prepare_data
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.formats.labelme import read_labelme
from tests.test_datasets.test_formats import writers

NAN = float('nan')
# Where in the file, what stands there, what is said; the file is named too.
LABELME = [
    (['shapes'], 5, 'shapes is 5, not a list'),
    (['shapes'], None, 'shapes is None'),
    (['shapes'], {'0': {}}, 'shapes is {'),
    (['shapes', 1], 'cat', "shape 1 is 'cat', not an object"),
    (['shapes', 1, 'label'], ['cat'], "shape 1: label is ['cat'], not a text"),
    (['shapes', 1, 'shape_type'], 3, 'shape 1: shape_type is 3'),
    (['shapes', 1, 'shape_type'], [], 'shape 1: shape_type is []'),
    (['shapes', 1, 'group_id'], [4], 'shape 1: group_id is [4]'),
    (['shapes', 1, 'group_id'], {}, 'shape 1: group_id is {}'),
    (['shapes', 1, 'points'], 'abc', "shape 1: points is 'abc'"),
    (['shapes', 1, 'points'], {'x': 1}, 'shape 1: points is {'),
    (['shapes', 1, 'points'], None, 'shape 1 has no points x, y'),
    (['shapes', 1, 'points', 0], 7, 'shape 1 has no points x, y'),
    (['shapes', 1, 'points', 0], [1, 2, 3], 'shape 1 has no points x, y'),
    (['shapes', 1, 'points', 0], ['1', 2], 'shape 1 has no points x, y'),
    (['shapes', 1, 'points', 0], [NAN, 2], 'shape 1 has no points x, y'),
    (['shapes', 1, 'mask'], 5, 'shape 1: mask is 5, not a text'),
    (['imagePath'], 5, 'imagePath is 5, not a text'),
    (['imagePath'], ['0.png'], "imagePath is ['0.png']"),
    (['imagePath'], None, 'has no imagePath'),
]
YOLO = [
    (['names'], 'cat', "names is 'cat', not a list, or numbers with names"),
    (['names'], 5, 'names is 5'),
    (['names'], [True, 'dog'], 'names[0] is True, not a text or a number'),
    (['names'], ['cat', None], 'names[1] is None'),
    (['names'], {0: 'cat', 1: ['dog']}, "names[1] is ['dog']"),
    (['path'], {'a': 1}, "path is {'a': 1}, not a path"),
    (['train'], True, 'train is True'),
    (['train'], {'a': 1}, "train is {'a': 1}"),
    (['train'], [None], 'train[0] is None'),
    (['val'], ['images/val', {}], 'val[1] is {}'),
]
NAMES = [
    ([], {'0': 'wall', '1': 'sky'}, "the file is {'0': 'wall', '1': 'sky'}"),
    ([], 'wall', "the file is 'wall', not a list"),
    ([], ['wall', None], 'entry 1 is None, not a text'),
    ([], ['wall', ['sky']], "entry 1 is ['sky']"),
    ([], [{'name': 'wall'}, {'id': 1}], 'entry 1 is None'),
    ([], [{'name': 5.5}, {'name': {}}], 'entry 1 is {}'),
]


def put(content, keys, value):
    if not keys:
        return value
    *outer, last = keys
    place = content
    for key in outer:
        place = place[key]
    place[last] = value
    return content


def by_name(table):
    return [pytest.param(*row, id=row[2]) for row in table]


def refused(root, file, says):
    with pytest.raises(UserError, match=re.escape(says)) as caught:
        prepare_data(root)
    assert str(root / file) in str(caught.value)
    assert not (root / 'mmseg_plugin_data').exists()


@pytest.mark.parametrize(('keys', 'value', 'says'), by_name(LABELME))
def test_labelme(tmp_path, keys, value, says):
    writers.write_labelme(tmp_path)
    file = tmp_path / '3.json'
    content = put(json.loads(file.read_text()), keys, value)
    file.write_text(json.dumps(content))
    refused(tmp_path, '3.json', says)


@pytest.mark.parametrize(('keys', 'value', 'says'), by_name(YOLO))
def test_yolo(tmp_path, keys, value, says):
    writers.write_yolo(tmp_path)
    file = tmp_path / 'data.yaml'
    content = put(yaml.safe_load(file.read_text()), keys, value)
    file.write_text(yaml.safe_dump(content))
    refused(tmp_path, 'data.yaml', says)


def test_numbers_of_yolo_are_finite(tmp_path):
    writers.write_yolo(tmp_path)
    line = '0 nan 0.1 0.2 0.2 0.3 0.1'
    (tmp_path / 'labels' / 'train' / '3.txt').write_text(line)
    refused(tmp_path, 'labels/train/3.txt:1', 'is not numbers: 0 nan')


@pytest.mark.parametrize(('keys', 'value', 'says'), by_name(NAMES))
def test_class_names(tmp_path, keys, value, says):
    writers.write_semantic(tmp_path, names=False)
    (tmp_path / 'classes.json').write_text(json.dumps(value))
    refused(tmp_path, 'classes.json', f'holds no names of classes: {says}')


def test_numbers_of_classes_have_no_gap(tmp_path):
    writers.write_semantic(tmp_path, names=False)
    table = 'Pixel Value, Class\n0, wall\n2, road\n'
    (tmp_path / '_classes.csv').write_text(table)
    refused(tmp_path, '_classes.csv', '[0, 2] are not all numbers from 0 on')


def test_a_list_beside_labelme_files_is_none_of_them(tmp_path):
    writers.write_labelme(tmp_path)
    expected = read_labelme(tmp_path)
    (tmp_path / 'classes.json').write_text('["cat", "dog"]')
    assert read_labelme(tmp_path) == expected
    prepare_data(tmp_path)
    (tmp_path / '5.json').write_text('')
    refused(tmp_path, '5.json', 'cannot be read as JSON')
