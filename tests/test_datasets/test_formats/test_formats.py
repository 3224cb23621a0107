import json
from collections import Counter

import numpy as np
import pytest
from pycocotools import mask as coder

from mmseg_plugin.apis.data_folder import FOLDER
from mmseg_plugin.apis.front_door import prepare_data, save_data
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.annotations import object_rle
from mmseg_plugin.datasets.formats.layout import split_of
from mmseg_plugin.datasets.formats.splitting import split_images
from tests.test_datasets.test_formats import writers


def prepared(root):
    found, said = prepare_data(root)
    save_data(found)
    return found, said


def targets(found):
    """Image to its classes and masks, over all splits."""
    targets = {}
    for split in found.splits.values():
        data = json.loads(split.ann_file.read_text())
        names = {c['id']: c['name'] for c in data['categories']}
        images = {i['id']: i for i in data['images']}
        for annotation in data['annotations']:
            image = images[annotation['image_id']]
            assert (split.image_dir / image['file_name']).is_file()
            size = image['height'], image['width']
            rle = object_rle(annotation, size, '')
            name = image['file_name'].rpartition('/')[2]
            label = names[annotation['category_id']]
            one = (label, coder.decode(rle).tobytes())
            targets.setdefault(name, []).append(one)
    return {name: sorted(found) for name, found in targets.items()}


@pytest.mark.parametrize('name', writers.WRITERS)
def test_every_format_gives_the_same_targets(name, tmp_path):
    writers.write_coco(tmp_path / 'reference')
    writers.WRITERS[name](tmp_path / 'data')
    found, said = prepared(tmp_path / 'data')
    reference, _ = prepared(tmp_path / 'reference')
    assert found.kind == 'instances'
    assert set(found.splits) == {'train', 'val'}
    assert targets(found) == targets(reference)
    assert str(tmp_path / 'data') in said[0]


def test_what_is_converted_is_written_once(tmp_path):
    root = tmp_path / 'data'
    writers.write_yolo(root)
    first, _ = prepared(root)
    record = json.loads((root / FOLDER / 'record.json').read_text())
    assert set(record['sources']) > {'data.yaml', 'labels/train/0.txt'}
    second, _ = prepared(root)
    assert first == second
    (root / 'labels' / 'train' / '0.txt').write_text('')
    with pytest.raises(UserError, match='made from other annotations'):
        prepared(root)


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('0 0.5 0.5 0.2 0.2', 'is a box'),
        ('5 0.1 0.1 0.2 0.2 0.3 0.1', 'class 5'),
        ('0 0.1 0.1 0.2', 'no polygon'),
        ('cat 0.1', 'not numbers'),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_written(line, said, tmp_path):
    root = tmp_path / 'data'
    writers.write_yolo(root)
    (root / 'labels' / 'train' / '3.txt').write_text(line)
    with pytest.raises(UserError, match=f'3.txt:1.*{said}'):
        prepare_data(root)
    assert not (root / FOLDER).exists()


def test_what_is_no_data_is_refused(tmp_path):
    with pytest.raises(UserError, match='holds none of'):
        prepare_data(tmp_path)
    with pytest.raises(UserError, match='neither a folder nor'):
        prepare_data(tmp_path / 'none')


def test_names_of_splits():
    assert split_of('instances_train2017') == 'train'
    assert split_of('valid') == 'val'
    assert split_of('test-dev') == 'test'
    assert split_of('trains') is None


@pytest.mark.parametrize('seed', range(5))
def test_splits_keep_classes_and_like_images_together(seed):
    rng = np.random.default_rng(seed)
    labels = [Counter(rng.integers(0, 4, 5).tolist()) for _ in range(50)]
    labels[7]['rare'] = 1
    alike = [(0, 1), (1, 2), (10, 40)]
    chosen = split_images(labels, alike, seed)
    assert (chosen == split_images(labels, alike, seed)).all()
    assert chosen[0] == chosen[1] == chosen[2]
    assert chosen[10] == chosen[40]
    assert 5 <= chosen.sum() <= 10
    assert not chosen[7]
    train, val = Counter(), Counter()
    for label, side in zip(labels, chosen, strict=True):
        (val if side else train).update(label)
    assert set(train) == {0, 1, 2, 3, 'rare'}
    assert set(val) == {0, 1, 2, 3}
