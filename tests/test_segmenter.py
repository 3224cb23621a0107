import json
import sys
import types

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_utils

from mmseg_plugin import Segmenter
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import read_model_config
from tests.test_tools.colour_model import (
    SCENES,
    SIZE,
    call,
    write_data,
    write_model,
)
from tools import predict

KINDS = ('instances', 'panoptic', 'semantic')


@pytest.fixture
def root(tmp_path):
    write_data(tmp_path)
    return tmp_path


@pytest.fixture
def segmenter(root):
    config, checkpoint = write_model(root, kinds=KINDS)
    return Segmenter(str(config), str(checkpoint), device='cpu')


def boxes_of(name):
    return [[x, y, x + w, y + h] for _, x, y, w, h in SCENES[name]]


def check(found, name):
    """Objects are the squares of a scene."""
    assert len(found) == len(SCENES[name])
    assert found.boxes.shape == (len(found), 4)
    assert sorted(found.boxes.tolist()) == sorted(boxes_of(name))
    assert found.masks.shape == (len(found), *SIZE)
    assert found.names == [('red', 'green')[k] for k in found.labels]
    for mask, rle, (x1, y1, x2, y2) in zip(
        found.masks, found.rles, found.boxes.astype(int), strict=True
    ):
        expected = np.zeros(SIZE, bool)
        expected[y1:y2, x1:x2] = True
        np.testing.assert_array_equal(mask, expected)
        np.testing.assert_array_equal(mask_utils.decode(rle), expected)


@pytest.mark.parametrize('name', SCENES)
def test_every_kind_of_input(segmenter, root, name):
    path = root / 'images' / name
    array = mmcv.imread(str(path))
    picture = Image.fromarray(array[..., ::-1])
    for image in (path, str(path), array, picture):
        check(segmenter(image), name)
    several = segmenter([path, array, picture])
    assert isinstance(several, list)
    for found in several:
        check(found, name)
    assert several[0].path == path
    assert several[1].path is None


@pytest.mark.parametrize('batch_size', [1, 2, 5])
def test_folders_in_batches(segmenter, root, batch_size):
    every = segmenter(root / 'images', batch_size=batch_size)
    names = [f.path.relative_to(root / 'images').as_posix() for f in every]
    assert sorted(names) == sorted(SCENES)
    for name, found in zip(names, every, strict=True):
        check(found, name)


def test_other_sizes_are_not_padded_into_one_batch(segmenter, monkeypatch):
    counts = []
    run = segmenter.predictor.run
    monkeypatch.setattr(
        segmenter.predictor,
        'run',
        lambda batch: counts.append(len(batch)) or run(batch),
    )
    images = [np.zeros((h, 20, 3), np.uint8) for h in (8, 8, 8, 9, 8)]
    found = segmenter(images, batch_size=2)
    assert counts == [2, 1, 1, 1]
    assert [f.size for f in found] == [(h, 20) for h in (8, 8, 8, 9, 8)]


def test_maps(segmenter, root):
    found = segmenter(root / 'images' / 'a.png')
    void = len(segmenter.classes)
    expected = np.full(SIZE, void)
    for label, x, y, w, h in SCENES['a.png']:
        expected[y : y + h, x : x + w] = label
    np.testing.assert_array_equal(found.semantic, expected)
    ids = found.panoptic
    np.testing.assert_array_equal(ids == void, expected == void)
    np.testing.assert_array_equal(ids % 1000, expected)
    assert len(np.unique(ids)) == 3


def test_tiles_find_the_same(segmenter, root):
    found = segmenter(root / 'images' / 'a.png', tile=32)
    assert sorted(found.boxes.tolist()) == sorted(boxes_of('a.png'))
    with pytest.raises(UserError, match='overlap must be from 0 to 31'):
        segmenter(root / 'images' / 'a.png', tile=32, overlap=40)


def test_pictures_and_results(segmenter, root):
    found = segmenter(root / 'images' / 'a.png')
    picture = found.plot(root / 'drawn.png')
    written = mmcv.imread(str(root / 'drawn.png'))
    np.testing.assert_array_equal(written[..., ::-1], picture)
    rows = found.to_coco(category_ids=[7, 8])
    assert [row['image_id'] for row in rows] == ['a.png', 'a.png']
    assert {row['category_id'] for row in rows} == {7, 8}
    json.dumps(rows)


def test_for_supervision(segmenter, root, monkeypatch):
    class Detections(types.SimpleNamespace):
        pass

    stand_in = types.ModuleType('supervision')
    stand_in.Detections = Detections
    monkeypatch.setitem(sys.modules, 'supervision', stand_in)
    given = segmenter(root / 'images' / 'a.png').to_supervision()
    assert given.xyxy.shape == (2, 4)
    assert given.mask.dtype == bool
    assert given.data['class_name'].tolist() == ['red', 'green']
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(ImportError, match='pip install supervision'):
        segmenter(root / 'images' / 'a.png').to_supervision()


def test_a_run_is_enough(root, monkeypatch):
    config, checkpoint = write_model(root)
    run = root / 'run'
    (run / '1' / 'vis_data').mkdir(parents=True)
    read_model_config(str(config)).dump(run / '1' / 'vis_data' / 'config.py')
    last = run / 'iter_5.pth'
    last.write_bytes(checkpoint.read_bytes())
    (run / 'last_checkpoint').write_text(str(last))
    image = root / 'images' / 'a.png'
    check(Segmenter(run, device='cpu')(image), 'a.png')
    call(predict.main, monkeypatch, run, image, '--out', root / 'out')
    assert len(json.loads((root / 'out' / 'instances.json').read_text())) == 2
    (run / 'best_mAP_iter_3.pth').write_bytes(b'broken')
    with pytest.raises(UserError, match='best_mAP'):
        Segmenter(run, device='cpu')


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ('absent.png', 'absent.png cannot be read'),
        (np.zeros(3), r'shape \(3,\)'),
        (3, 'int is no image'),
    ],
)
def test_bad_images(segmenter, image, message):
    with pytest.raises(UserError, match=message):
        segmenter(image)


def test_a_config_needs_a_checkpoint(root):
    config, _ = write_model(root)
    with pytest.raises(UserError, match='give a checkpoint too'):
        Segmenter(config)


@pytest.fixture
def video(root):
    path = root / 'film.avi'
    code = cv2.VideoWriter.fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(path), code, 10, SIZE[::-1])
    image = mmcv.imread(str(root / 'images' / 'a.png'))
    for _ in range(3):
        writer.write(image)
    writer.release()
    return path


def test_videos(root, video, monkeypatch):
    config, checkpoint = write_model(root, kinds=KINDS)
    out = root / 'out'
    call(predict.main, monkeypatch, config, checkpoint, video, '--out', out)
    rows = json.loads((out / 'instances.json').read_text())
    assert [row['image_id'] for row in rows] == [0, 0, 1, 1, 2, 2]
    drawn = mmcv.VideoReader(str(out / 'film.mp4'))
    assert (len(drawn), drawn.fps) == (3, 10)
    call(
        predict.main,
        monkeypatch,
        *(config, checkpoint, video, '--out', root / 'two', '--limit', 2),
    )
    assert len(mmcv.VideoReader(str(root / 'two' / 'film.mp4'))) == 2


def test_bad_videos(root, video, monkeypatch):
    config, checkpoint = write_model(root)
    broken = root / 'broken.mp4'
    broken.write_bytes(b'no video')
    for path, more, message in [
        (broken, (), 'broken.mp4 cannot be read as a video'),
        (root / 'absent.mp4', (), 'absent.mp4 cannot be read as a video'),
        (video, ('--ann', root / 'ann.json'), 'a video has no annotations'),
    ]:
        out = root / 'out'
        with pytest.raises(UserError, match=message):
            call(
                predict.main,
                monkeypatch,
                *(config, checkpoint, path, '--out', out, *more),
            )
        assert not out.exists()
