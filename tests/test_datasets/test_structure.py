"""Files that are no COCO, or reach outside their data."""

import copy

import pytest

from mmseg_plugin.datasets import structure as files

CONTENT = {
    'images': [{'id': 1, 'file_name': 'a.png', 'height': 2, 'width': 3}],
    'annotations': [
        {'id': 1, 'image_id': 1, 'bbox': [0, 0, 1, 1], 'segmentation': []},
        {
            'id': 2,
            'segmentation': {'size': [2, 3], 'counts': [6]},
            'segments_info': [{'id': 7}],
        },
    ],
    'categories': [{'id': 1, 'name': 'x'}],
}


def test_what_may_be_missing_may_be_missing():
    files.check_structure(CONTENT, 'x.json')
    files.check_structure({'images': [{}], 'annotations': [{}]}, 'x.json')


@pytest.mark.parametrize(
    ('keys', 'value', 'said'),
    [
        (['images'], 5, 'images is 5, not a list'),
        (['images', 0], 'x', r"images\[0\] is 'x', not an object"),
        (['images', 0, 'id'], {}, r'images\[0\].id is {}'),
        (['images', 0, 'height'], 'x', r"images\[0\].height is 'x'"),
        (['images', 0, 'width'], 0, r'images\[0\].width is 0'),
        (['images', 0, 'width'], float('nan'), r'images\[0\].width is nan'),
        (['images', 0, 'file_name'], [], r'images\[0\].file_name is \[\]'),
        (['images', 0, 'file_name'], '', r"images\[0\].file_name is ''"),
        (['images', 0, 'file_name'], 'a\0', r'images\[0\].file_name is '),
        (['images', 0, 'file_name'], 'x' * 256, 'file_name is .*xx ...'),
        (
            ['annotations', 1, 'segmentation', 'size'],
            [2, [3]],
            r'on.size is \[2, \[3\]\]',
        ),
        (['annotations', 1, 'id'], 1 << 63, r'annotations\[1\].id is 9'),
        (['annotations', 0, 'bbox'], True, r'annotations\[0\].bbox is True'),
        (
            ['annotations', 1, 'segmentation', 'size'],
            4,
            'on.size is 4',
        ),
        (
            ['annotations', 1, 'segments_info', 0],
            4,
            r'info\[0\] is 4',
        ),
        (['categories', 0, 'name'], [], r'categories\[0\].name is \[\]'),
    ],
)
def test_the_place_and_what_stands_there_are_named(keys, value, said):
    content = copy.deepcopy(CONTENT)
    node = content
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    with pytest.raises(ValueError, match=rf'^x\.json: .*{said}'):
        files.check_structure(content, 'x.json')


@pytest.mark.parametrize('text', ['', '{', '[1]', '{"images": {}}'])
def test_files_that_are_no_coco(tmp_path, text):
    path = tmp_path / 'x.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'x\.json'):
        files.read_json(str(path))


@pytest.mark.parametrize(
    ('path', 'folders', 'inside'),
    [
        ('data/img/a.png', ('data', 'data/img'), True),
        ('data/img/../seg/a.png', ('data', 'data/img'), True),
        ('data/../a.png', ('data',), False),
        ('data2/a.png', ('data',), False),
        ('/etc/hostname', ('data', '/data/img'), False),
        ('/data/img/a.png', ('data', '/data/img'), True),
        ('../data/a.png', ('../data',), True),
        ('../data/../a.png', ('../data',), False),
        ('/anywhere/a.png', ('', None), True),
    ],
)
def test_files_lie_where_the_data_are(path, folders, inside):
    if inside:
        files.check_inside([path], folders, 'x.json')
        return
    with pytest.raises(ValueError, match=r'^x\.json: .* lies outside '):
        files.check_inside([path], folders, 'x.json')
