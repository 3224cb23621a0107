"""Every shape that labelme and X-AnyLabeling write."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from mmseg_plugin.apis.front_door import check_data, prepare_data
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.annotations import object_mask
from mmseg_plugin.datasets.formats.labelme import read_labelme
from tests.test_datasets.test_formats import writers

# Rows and columns of an image.
SIZE = (48, 64)


def picture(mask):
    file = io.BytesIO()
    Image.fromarray(mask).save(file, 'PNG')
    return base64.b64encode(file.getvalue()).decode()


def region(rows, columns):
    mask = np.zeros(SIZE, bool)
    mask[rows, columns] = True
    return mask


RING = region(slice(0, 10), slice(0, 8))[:10, :8]
RING[3:6, 2:5] = False
BOX = [[5, 8], [15, 8], [15, 28], [5, 28]]
BOXED = region(slice(8, 28), slice(5, 15))
RINGED = region(slice(8, 18), slice(5, 13))
RINGED[8:18, 5:13] = RING
Y, X = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
AREAS = {
    'no type': ({'points': BOX}, BOXED),
    'null type': ({'points': BOX, 'shape_type': None}, BOXED),
    'polygon': ({'points': BOX, 'shape_type': 'polygon'}, BOXED),
    'rectangle': ({'points': BOX[::2], 'shape_type': 'rectangle'}, BOXED),
    'drawn backwards': (
        {'points': BOX[::-2], 'shape_type': 'rectangle'},
        BOXED,
    ),
    'four corners': ({'points': BOX, 'shape_type': 'rectangle'}, BOXED),
    'oriented': ({'points': BOX, 'shape_type': 'oriented_rectangle'}, BOXED),
    'rotated': ({'points': BOX, 'shape_type': 'rotation'}, BOXED),
    'circle': (
        {'points': [[30, 20], [30, 28]], 'shape_type': 'circle'},
        np.hypot(X - 30, Y - 20) < 8,
    ),
    'mask': (
        {
            'points': [[5, 8], [12, 17]],
            'shape_type': 'mask',
            'mask': picture(RING),
        },
        RINGED,
    ),
    'mask of 0 and 255': (
        {
            'points': [[5.4, 8.9], [12.4, 17.9]],
            'shape_type': 'mask',
            'mask': picture(RING.astype(np.uint8) * 255),
        },
        RINGED,
    ),
    'mask in colour': (
        {
            'points': [[5, 8], [12, 17]],
            'shape_type': 'mask',
            'mask': picture(
                np.stack([RING * 0, RING * 9, RING * 0], -1).astype(np.uint8)
            ),
        },
        RINGED,
    ),
}


def write(root, *shapes, number=0):
    writers.save_image(root / f'{number}.png', number)
    shapes = [{'label': 'cat', 'group_id': None, **shape} for shape in shapes]
    data = {'imagePath': f'{number}.png', 'shapes': shapes}
    (root / f'{number}.json').write_text(json.dumps(data))


def masks(root):
    data = read_labelme(root)['train']
    assert all(a['area'] > 0 for a in data['annotations'])
    return [object_mask(a, SIZE, '') for a in data['annotations']]


@pytest.mark.parametrize('kind', AREAS)
def test_a_shape_with_an_area_is_read(tmp_path, kind):
    shape, truth = AREAS[kind]
    write(tmp_path, shape)
    (mask,) = masks(tmp_path)
    # Of a circle's border pixels no rule is the right one.
    assert (mask != truth).sum() <= (8 if kind == 'circle' else 0)


def test_parts_of_a_group_are_one_object(tmp_path):
    parts = [{**AREAS[kind][0], 'group_id': 3} for kind in ('circle', 'mask')]
    write(tmp_path, *parts, AREAS['polygon'][0])
    group, other = masks(tmp_path)
    assert (group & RINGED == RINGED).all()
    assert group[20, 30]
    assert (other == BOXED).all()


@pytest.mark.parametrize('kind', ['point', 'points', 'line', 'linestrip'])
def test_what_has_no_area_is_counted(tmp_path, kind):
    for number in range(6):
        shape = {'points': BOX[: 1 + number], 'shape_type': kind}
        write(tmp_path, AREAS['polygon'][0], shape, number=number)
    found, _ = prepare_data(tmp_path)
    _, report = check_data(found)
    assert 'exports.no-area' in report
    assert f'0.png: shape 1 ({kind})' in report


FAULTS = {
    'an unknown kind': ({'shape_type': 'cuboid', 'points': BOX[:2]}, 'cuboid'),
    'two points': ({'shape_type': 'polygon', 'points': BOX[:2]}, 'no area'),
    'far away': (
        {'shape_type': 'polygon', 'points': [*BOX[:2], [2e6, 0]]},
        'reaches 2e',
    ),
    'no points': ({'shape_type': 'polygon'}, 'no points x, y'),
    'words': ({'points': [['a', 'b']]}, 'no points x, y'),
    'no label': ({'label': None, 'points': BOX}, 'no label'),
    'no picture': ({'shape_type': 'mask', 'points': BOX[::2]}, 'be read'),
    'a damaged picture': (
        {**AREAS['mask'][0], 'mask': 'iVBORw0KGgo='},
        'be read',
    ),
    'a picture beside the image': (
        {**AREAS['mask'][0], 'points': [[60, 8], [67, 17]]},
        'not inside the image of 64 x 48',
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_shape_that_cannot_be_read_is_named(tmp_path, fault):
    shape, says = FAULTS[fault]
    write(tmp_path, AREAS['polygon'][0], shape)
    with pytest.raises(UserError, match=f'0.json: shape 1.*{says}'):
        prepare_data(tmp_path)
    assert not (tmp_path / 'mmseg_plugin_data').exists()


def test_images_that_lie_elsewhere(tmp_path):
    (tmp_path / 'data' / 'json').mkdir(parents=True)
    write(tmp_path / 'data' / 'json', AREAS['polygon'][0])
    file = tmp_path / 'data' / 'json' / '0.json'
    text = file.read_text()
    writers.save_image(tmp_path / 'store' / 'x.png', 1)
    (tmp_path / 'data' / 'images').symlink_to(tmp_path / 'store')
    file.write_text(text.replace('0.png', r'..\\images\\x.png'))
    (image,) = read_labelme(tmp_path / 'data')['train']['images']
    assert (tmp_path / 'data' / image['file_name']).is_file()
    file.write_text(text.replace('0.png', '../../store/x.png'))
    with pytest.raises(UserError, match='is not below'):
        prepare_data(tmp_path / 'data')


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
def test_sizes_are_those_that_tools_and_mmcv_show(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for number in range(6):
        write(tmp_path, AREAS['polygon'][0], number=number)
        path = tmp_path / f'{number}.png'
        Image.open(path).save(path, exif=exif)
    found, _ = prepare_data(tmp_path)
    shown = (64, 48) if orientation < 5 else (48, 64)
    image = found.splits['train'].data['images'][0]
    assert (image['width'], image['height']) == shown
    _, report = check_data(found)
    assert 'files.size' not in report
    assert ('files.orientation' in report) == (orientation != 1)
