import json
import shutil

import mmcv
import numpy as np
import pytest
import torch
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import (
    SCENES,
    SIZE,
    call,
    write_data,
    write_model,
)
from tools import predict


@pytest.fixture
def root(tmp_path):
    write_data(tmp_path)
    return tmp_path


@pytest.fixture
def run(root, monkeypatch):
    def run(*arguments, **options):
        config, checkpoint = write_model(root, **options)
        out = root / 'out'
        where = ['--device', 'cpu', '--out', out]
        call(predict.main, monkeypatch, config, checkpoint, *where, *arguments)
        return out

    return run


def rows(out, kind='instances'):
    return json.loads((out / f'{kind}.json').read_text())


@pytest.mark.parametrize('rle', [False, True])
def test_results_are_the_squares_with_ids_of_the_annotations(run, root, rle):
    out = run(root / 'images', rle=rle)
    found = rows(out)
    truth = COCO(root / 'ann.json')
    assert len(found) == len(truth.anns) == 4
    for row, ann in zip(found, truth.anns.values(), strict=True):
        for key in ('image_id', 'category_id', 'bbox'):
            assert row[key] == ann[key], key
        np.testing.assert_array_equal(
            mask_utils.decode(row['segmentation']), truth.annToMask(ann)
        )
        assert row['score'] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert truth.loadRes(found).anns


def test_draws_every_image_beside_its_ground_truth(run, root):
    out = run(root / 'images')
    for name in SCENES:
        picture = mmcv.imread(out / 'drawn' / name)
        scale = round(768 / SIZE[1])
        # Truth and results, both with a title bar above.
        assert picture.shape == (SIZE[0] * scale + 22, 2 * 60 * scale + 6, 3)
    # Six white columns are between them.
    picture = mmcv.imread(out / 'drawn' / 'a.png')
    left, right = picture[:, : 60 * scale], picture[:, 60 * scale + 6 :]
    # The middle of the green square: same place in both panels.
    y, x = 20 * scale + 22, 40 * scale
    assert (left[y, x] != left[-1, -1]).any()
    np.testing.assert_array_equal(left[y, x], right[y, x])


def test_without_annotations_file_names_and_class_indices(run, root):
    out = run(root / 'images', ann='none.json')
    assert [r['image_id'] for r in rows(out)] == ['a.png'] * 2 + [
        'sub/b.png'
    ] * 2
    assert [r['category_id'] for r in rows(out)] == [0, 1, 1, 1]
    assert rows(out)[0]['category_name'] == 'red'
    picture = mmcv.imread(out / 'drawn' / 'a.png')
    assert picture.shape[1] == 60 * round(768 / 60)


def test_one_image_that_the_annotations_do_not_list(run, root, tmp_path):
    other = tmp_path / 'other.png'
    shutil.copy(root / 'images' / 'a.png', other)
    out = run(other, '--ann', root / 'ann.json')
    assert {r['image_id'] for r in rows(out)} == {'other.png'}
    assert [r['category_id'] for r in rows(out)] == [7, 8]


def test_score_threshold_is_for_the_picture_alone(run, root):
    out = run(root / 'images' / 'a.png', '--score-thr', 0.9)
    assert len(rows(out)) == 2
    right = np.split(mmcv.imread(out / 'drawn' / 'a.png'), 2, axis=1)[1]
    stored = mmcv.imread(root / 'images' / 'a.png')
    # Nothing is painted over the red square.
    scale = round(768 / 60)
    np.testing.assert_array_equal(
        right[22 + 15 * scale, 10 * scale], stored[15, 10]
    )


def test_limit(run, root):
    out = run(root / 'images', '--limit', 1)
    assert [p.name for p in (out / 'drawn').rglob('*.png')] == ['a.png']


def test_panoptic_and_semantic_results(run, root):
    kinds = ('instances', 'panoptic', 'semantic')
    out = run(root / 'images', kinds=kinds)
    assert len(rows(out, 'panoptic')) == 4
    semantic = rows(out, 'semantic')
    # Both green squares of one image are one region.
    assert [r['image_id'] for r in semantic] == [100, 100, 101]
    assert all(r['score'] == 1 for r in semantic)
    assert mask_utils.area(semantic[2]['segmentation']) == 128
    picture = mmcv.imread(out / 'drawn' / 'empty.png')
    assert picture.shape[1] == 4 * 60 * round(768 / 60) + 3 * 6


@pytest.mark.parametrize('rle', [False, True])
def test_tiles_give_what_the_whole_image_gives(run, root, rle):
    # Seams cut squares of both images.
    kinds = ('instances', 'panoptic', 'semantic')
    tiled, whole = root / 'tiled', root / 'whole'
    tiles = ('--tile', 32, '--overlap', 20)
    run(root / 'images', *tiles, kinds=kinds, rle=rle).rename(tiled)
    run(root / 'images', kinds=kinds).rename(whole)
    for kind in kinds[:2]:
        found, truth = rows(tiled, kind), rows(whole, kind)
        assert sorted(found, key=str) == sorted(truth, key=str), kind
    # Around the squares is void, which the shrunk image fills.
    for found, truth in zip(
        rows(tiled, 'semantic'), rows(whole, 'semantic'), strict=True
    ):
        np.testing.assert_allclose(found['bbox'], truth['bbox'], atol=1)


def test_panoptic_truth(run, root):
    ids = np.zeros((*SIZE, 3), np.uint8)
    # Id 2 + 256 * 1: blue, green, red.
    ids[5:25, 5:15] = (0, 1, 2)
    mmcv.imwrite(ids, str(root / 'panoptic' / 'a.png'))
    square = {'id': 258, 'category_id': 3, 'bbox': [5, 5, 10, 20]}
    void = {'id': 9, 'category_id': 4, 'bbox': [0, 0, 1, 1]}
    content = {
        'images': [{'id': 'x', 'file_name': 'a.png'}],
        'annotations': [
            {
                'image_id': 'x',
                'file_name': 'a.png',
                'segments_info': [square, void],
            }
        ],
        'categories': [{'id': 3, 'name': 'red'}, {'id': 4, 'name': 'mud'}],
    }
    (root / 'panoptic.json').write_text(json.dumps(content))
    image = root / 'images' / 'a.png'
    truth = GroundTruth(root / 'panoptic.json', ['green', 'red'])
    (segment,) = truth.segments(truth.find(image), SIZE)
    assert segment.label == 1
    assert segment.mask[5:25, 5:15].all()
    assert segment.mask.sum() == 200
    out = run(image, '--ann', root / 'panoptic.json', kinds=('panoptic',))
    assert [r['category_id'] for r in rows(out, 'panoptic')] == [3, 5]
    (root / 'panoptic' / 'a.png').unlink()
    with pytest.raises(UserError, match=r'map .*a\.png cannot be read'):
        truth.segments('x', SIZE)


def test_device_that_is_not_there(run, root):
    with pytest.raises(UserError, match='device no_such cannot be used'):
        run(root / 'images', '--device', 'no_such')


@pytest.mark.parametrize('name', ['0.png', 'z.png'])
def test_broken_image_leaves_what_is_done_and_says_so(run, root, name):
    (root / 'images' / name).write_bytes(b'not an image')
    with pytest.raises(UserError, match=rf'{name} cannot be read') as error:
        run(root / 'images')
    assert not (root / 'out').exists()
    first = name == '0.png'
    assert ('3 images are done and kept' in str(error.value)) != first
    left = [path.name for path in root.glob('*out*')]
    assert left == ([] if first else ['out.part'])


def test_bad_input(run, root):
    (root / 'nothing').mkdir()
    for arguments, message in [
        ([root / 'images' / 'c.png'], r'c\.png is neither'),
        ([root / 'nothing'], 'holds no images'),
        ([root / 'images', '--limit', 0], '--limit must be 1'),
        ([root], 'lies in the input folder'),
        ([root / 'images', '--tile', 31], 'tile must be 32'),
        ([root / 'images', '--overlap', 8], 'give the tile size too'),
        (
            [root / 'images', '--tile', 32, '--overlap', 32],
            'overlap must be from 0 to 31, less than the tile, got 32',
        ),
        ([root / 'images', '--ann', root / 'no.json'], r'no\.json cannot be'),
        ([root / 'images', '--ann', root / 'config.py'], 'is not JSON'),
    ]:
        with pytest.raises(UserError, match=message):
            run(*arguments)
        assert not (root / 'out').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'images': [], 'categories': []}, 'cannot be read as .*annotations'),
        (
            {
                'images': [{'id': 1, 'file_name': 'a.png'}],
                'annotations': [{'image_id': 1, 'segments_info': []}],
                'categories': [{'id': 1, 'name': 'red'}],
            },
            'is panoptic, but its maps are not in .*other_ann$',
        ),
        (
            {
                'images': [{'id': 1, 'file_name': 'a.png'}],
                'annotations': [],
                'categories': [{'id': 1, 'name': 'blue'}],
            },
            r'no category of .* \(blue\) is a class of the model \(red, gre',
        ),
        ([], 'holds .*, not an object with images'),
    ],
)
def test_wrong_annotations(run, root, content, message):
    other = root / 'other_ann.json'
    other.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        run(root / 'images', '--ann', other)
    assert not (root / 'out').exists()


def test_out_is_never_overwritten(run, root):
    (root / 'out').mkdir()
    (root / 'out' / 'mine.txt').touch()
    with pytest.raises(UserError, match='not an empty folder'):
        run(root / 'images')


def test_checkpoint_of_another_model(run, root, monkeypatch):
    config, checkpoint = write_model(root)
    arguments = ['--out', root / 'out', '--device', 'cpu']
    for state, message in [
        ({'other': torch.zeros(1)}, 'lacks 1 weights, score first'),
        ({'score': torch.zeros(3)}, 'does not fit the config: .*size'),
    ]:
        torch.save({'state_dict': state}, checkpoint)
        with pytest.raises(UserError, match=message):
            call(
                predict.main,
                monkeypatch,
                config,
                checkpoint,
                root / 'images',
                *arguments,
            )
    with pytest.raises(UserError, match=r'gone\.pth'):
        call(
            predict.main,
            monkeypatch,
            config,
            root / 'gone.pth',
            root / 'images',
            *arguments,
        )
    assert not (root / 'out').exists()
