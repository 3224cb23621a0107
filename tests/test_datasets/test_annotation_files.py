"""Whole COCO files: numbers, names, and what refers to nothing."""

import logging

import pytest
from mmengine.logging import MMLogger

from mmseg_plugin.datasets import annotation_files as files


def test_a_truth_is_numbered_from_one():
    content = {
        'images': [{'id': 5, 'height': 30, 'width': 40}],
        'annotations': [
            {'id': i, 'image_id': image, 'bbox': [0, 0, 2, 2]}
            for i, image in ((0, 5), (0, 5), (2**40, 5), (3, 6))
        ],
    }
    content['annotations'][1].pop('id')
    got = files.completed_truth(content, 'x')['annotations']
    assert [a['id'] for a in got] == [1, 2, 3]
    assert [a['file_id'] for a in got] == [0, None, 2**40]
    assert 'iscrowd' not in content['annotations'][0]


def test_names_of_categories():
    content = {'categories': [{'id': 9, 'name': 'b'}, {'id': 2, 'name': 'a'}]}
    assert files.category_ids(content, 'f', ['a', 'c', 'd']) == {
        'b': 9,
        'a': 2,
        'c': 10,
        'd': 11,
    }
    content['categories'].append({'id': 3, 'name': 'a'})
    with pytest.raises(ValueError, match=r"f: two .*'a' \(ids 2 and 3\)"):
        files.category_ids(content, 'f')
    content['categories'][2]['name'] = 0
    with pytest.raises(ValueError, match='f: category 3 is named 0, which is'):
        files.category_ids(content, 'f')


@pytest.fixture
def told():
    """What is logged."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def three_boxes(**changes):
    """Boxes of images 5, 5 and 5, the second of them changed."""
    return {
        'images': [{'id': 5, 'height': 30, 'width': 40}],
        'categories': [{'id': 0, 'name': 'a'}, {'id': 7, 'name': 'b'}],
        'annotations': [
            {
                **{'id': i, 'image_id': 5, 'category_id': 7},
                **{'bbox': [0, 0, 2, 2]},
                **(changes if i == 1 else {}),
            }
            for i in range(3)
        ],
    }


@pytest.mark.parametrize('category', [8, '7', None, [7], -1])
def test_an_unknown_category_is_refused_by_name(category):
    content = three_boxes(category_id=category)
    with pytest.raises(ValueError, match='^f: annotation 1 of image 5 is of'):
        files.completed_truth(content, 'f')


@pytest.mark.parametrize('image', [6, '5', None, [5]])
def test_an_unknown_image_is_told(image, told):
    got = files.completed_truth(three_boxes(image_id=image), 'f')
    assert [a['file_id'] for a in got['annotations']] == [0, 2]
    (line,) = told
    assert line.startswith('f: annotation 1 of image')
    assert '1 of 3 annotations' in line


@pytest.mark.parametrize('crowd', [2, -1, '0', 'false', [1]])
def test_an_unknown_iscrowd_is_refused_by_name(crowd):
    content = three_boxes(iscrowd=crowd)
    with pytest.raises(ValueError, match='annotation 1 of image 5 has iscr'):
        files.completed_truth(content, 'f')
    for whole in (True, 1, 1.0):
        got = files.completed_truth(three_boxes(iscrowd=whole), 'f')
        assert [a['iscrowd'] for a in got['annotations']] == [0, 1, 0]
