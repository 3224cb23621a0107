import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmseg_plugin.datasets import annotations as reader

SIZE = (30, 40)
POLYGON = [4.0, 5.0, 20.0, 5.0, 20.0, 15.0]
# What the tools in the field write for an object without a mask.
NO_MASK = [None, [], [[]], {}, [[1, 2]], [[1, 2, 3, 4]], [1, 2, 3, 4]]


def random_mask(seed: int, size=SIZE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.random(size)
    return np.asfortranarray(noise > rng.random(), np.uint8)


def uncompressed(mask: np.ndarray) -> dict:
    flat = mask.ravel('F')
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {
        'size': list(mask.shape),
        'counts': [0, *runs] if flat[0] else runs,
    }


@pytest.mark.parametrize('size', [(1, 1), (7, 5), SIZE, (400, 600)])
@pytest.mark.parametrize('seed', range(6))
def test_runs_of_a_compressed_rle_are_those_of_the_mask(seed, size):
    mask = random_mask(seed, size)
    if size == (400, 600):
        # Long runs take several characters, and differences are negative.
        mask = np.kron(mask[::80, ::60], np.ones((80, 60), np.uint8))
        mask = np.asfortranarray(mask)
    rle = mask_utils.encode(mask)
    expected = uncompressed(mask)['counts']
    for counts in (rle['counts'], rle['counts'].decode(), expected):
        np.testing.assert_array_equal(
            reader.run_lengths(counts, 'x'), expected
        )


@pytest.mark.parametrize('form', ['bytes', 'text', 'runs'])
def test_every_form_of_a_mask_is_the_same_mask(form):
    mask = random_mask(3)
    rle = mask_utils.encode(mask)
    if form == 'text':
        rle['counts'] = rle['counts'].decode()
    if form == 'runs':
        rle = uncompressed(mask)
    got = reader.object_mask({'segmentation': rle}, SIZE, 'x')
    np.testing.assert_array_equal(got, mask)


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('fault', ['short', 'long', 'size', 'negative'])
def test_an_rle_that_does_not_fit_is_refused_by_name(fault, compressed):
    rle = uncompressed(random_mask(1))
    if fault == 'short':
        rle['counts'] = rle['counts'][:-1]
    if fault == 'long':
        rle['counts'][-1] += 1
    if fault == 'negative':
        if compressed:
            pytest.skip('pycocotools does not write it')
        rle['counts'][:2] = [-1, rle['counts'][1] + rle['counts'][0] + 1]
    if compressed:
        rle = mask_utils.frPyObjects(rle, *rle['size'])
    if fault == 'size':
        rle = {**rle, 'size': SIZE[::-1]}
    annotation = {'id': 17, 'image_id': 4, 'segmentation': rle}
    where = reader.place('truth.json', annotation)
    with pytest.raises(ValueError, match='truth.json: annotation 17 of im'):
        reader.completed(annotation, SIZE, where)


@pytest.mark.parametrize('counts', [b'\x10', 'o', '~~', [[1]], ['a'], [1.5]])
def test_what_is_no_rle_is_refused(counts):
    rle = {'size': SIZE, 'counts': counts}
    with pytest.raises(ValueError, match='^x: '):
        reader.checked_rle(rle, SIZE, 'x')


@pytest.mark.parametrize('shape', NO_MASK)
def test_an_object_without_a_mask(shape):
    annotation = {'segmentation': shape, 'bbox': [1, 2, 3, 4]}
    assert reader.object_mask(annotation, SIZE, 'x') is None
    got = reader.completed(annotation, SIZE, 'x')
    assert got == {'bbox': [1, 2, 3, 4], 'area': 12, 'iscrowd': 0}


@pytest.mark.parametrize(
    'shape', [[POLYGON], POLYGON, [POLYGON, [1, 2]], [[], POLYGON]]
)
def test_polygons_of_too_few_points_are_left_out(shape):
    expected = mask_utils.merge(mask_utils.frPyObjects([POLYGON], *SIZE))
    got = reader.object_rle({'segmentation': shape}, SIZE, 'x')
    assert got == expected


@pytest.mark.parametrize(
    'shape',
    [
        *([[1, 2, 3, 4, 5, 6, 7]], [['a'] * 6], [[np.nan] * 6], 'polygon'),
        *([['1', '2', '9', '2', '9', '9']], [[True, False] * 3], [[None] * 6]),
        *([[[1, 2], [9, 2], [9, 9]]], [[1e400] * 6], [[10**40] * 6]),
        [POLYGON, 3],
    ],
)
def test_what_is_no_polygon_is_refused(shape):
    with pytest.raises(ValueError, match='^x: '):
        reader.object_shape({'segmentation': shape}, SIZE, 'x')


# Both are still within what COCO's rasteriser can do.
@pytest.mark.parametrize(
    ('shape', 'said'),
    [
        ([0, 0, -1_000_001, 5, 5, 5], r'reaches 1e\+06 pixels far'),
        ([0, 0, 900_000, 0] * 6, r'is 1.08e\+07 pixels long'),
    ],
)
def test_polygons_beyond_any_image_are_refused(shape, said):
    with pytest.raises(ValueError, match=f'^x: .* {said}'):
        reader.object_shape({'segmentation': [shape]}, SIZE, 'x')


@pytest.mark.parametrize('lacks', [{'bbox'}, {'area'}, {'bbox', 'area'}])
def test_box_and_area_are_those_of_the_mask(lacks):
    rle = mask_utils.merge(mask_utils.frPyObjects([POLYGON], *SIZE))
    box, area = mask_utils.toBbox(rle).tolist(), float(mask_utils.area(rle))
    annotation = {'segmentation': [POLYGON], 'bbox': box, 'area': area}
    for key in lacks:
        annotation.pop(key)
    got = reader.completed(annotation, SIZE, 'x')
    assert got['bbox'] == box
    assert got['area'] == area


@pytest.mark.parametrize('box', ['a', [1, 2, 3], [1, 2, 3, None], 5])
def test_what_is_no_box_is_refused(box):
    with pytest.raises(ValueError, match='^x: .*bbox'):
        reader.object_box({'bbox': box}, None, 'x')
