import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coder

from mmseg_plugin.apis.data_facts import data_facts
from mmseg_plugin.apis.data_folder import FOLDER
from mmseg_plugin.apis.front_door import check_data, prepare_data, save_data
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.annotations import object_rle
from mmseg_plugin.datasets.formats import find_data
from mmseg_plugin.datasets.formats.label_maps import label_pairs
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


FORMS = {**writers.WRITERS, 'folders of splits': writers.write_by_folder}


@pytest.mark.parametrize('name', FORMS)
def test_every_format_gives_the_same_targets(name, tmp_path):
    writers.write_coco(tmp_path / 'reference')
    FORMS[name](tmp_path / 'data')
    found, said = prepared(tmp_path / 'data')
    reference, _ = prepared(tmp_path / 'reference')
    assert found.kind == 'instances'
    assert set(found.splits) == {'train', 'val'}
    assert targets(found) == targets(reference)
    assert str(tmp_path / 'data') in said[0]


def link_entries(store, root):
    root.mkdir()
    for path in store.iterdir():
        (root / path.name).symlink_to(path)


def link_files(store, root):
    for path in filter(Path.is_file, store.rglob('*')):
        place = root / path.relative_to(store)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)


def link_root(store, root):
    root.symlink_to(store)


@pytest.mark.parametrize('link', [link_entries, link_files, link_root])
@pytest.mark.parametrize('name', writers.WRITERS)
def test_links_are_followed(name, link, tmp_path):
    writers.WRITERS[name](tmp_path / 'store')
    reference, _ = prepared(tmp_path / 'store')
    expected = targets(reference)
    if (tmp_path / 'store' / FOLDER).exists():
        shutil.rmtree(tmp_path / 'store' / FOLDER)
    link(tmp_path / 'store', tmp_path / 'data')
    found, _ = prepared(tmp_path / 'data')
    assert targets(found) == expected
    facts = data_facts(found, check_data(found)[0])
    for split in (facts.train, facts.val):
        assert (found.root / split.ann_file).is_file()
        assert (found.root / split.image_dir).is_dir()


@pytest.mark.parametrize('split', [True, False])
def test_absolute_names(split, tmp_path):
    root = tmp_path / 'data'
    writers.write_coco(root)
    for name in ('train', 'val'):
        path = root / 'annotations' / f'instances_{name}.json'
        data = json.loads(path.read_text())
        for image in data['images']:
            image['file_name'] = str(root / name / image['file_name'])
        path.write_text(json.dumps(data))
    if not split:
        path.unlink()
    found, _ = prepared(root)
    assert len(targets(found)) == (12 if split else 8)
    # What lies beside the images is still looked at.
    assert 'files.name' in check_data(found)[1]


@pytest.mark.parametrize('other', ['captions', 'person_keypoints', 'a'])
def test_captions_and_key_points_are_the_last_choice(other, tmp_path):
    root = tmp_path / 'data'
    writers.write_coco(root)
    folder = root / 'annotations'
    names = {'a': 'instances_train.json'}
    wanted = folder / names.get(other, 'train.json')
    (folder / 'instances_train.json').rename(wanted)
    (folder / f'{other}_train.json').write_text(wanted.read_text())
    found = find_data(root)
    assert found.splits['train'].ann_file == wanted
    assert [path.name for path in found.ignored] == [f'{other}_train.json']


@pytest.mark.parametrize(
    'folders',
    [('train/images',), ('train/images', 'train/masks'), ('images', 'masks')],
)
def test_images_without_label_maps_are_no_data(folders, tmp_path):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    writers.save_image(tmp_path / folders[0] / '0.png', 0)
    with pytest.raises(UserError, match='holds none of'):
        prepare_data(tmp_path)


def test_backslashes_are_named(tmp_path):
    root = tmp_path / 'data'
    writers.write_coco(root)
    for path in (root / 'annotations').iterdir():
        text = path.read_text().replace('"file_name": "', r'"file_name": "x\\')
        path.write_text(text)
    with pytest.raises(UserError, match='file names have backslashes'):
        prepare_data(root)


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


NAMES = 'names: [cat, dog]'
SETTINGS = {
    'path': f'path: {{root}}\ntrain: images/train\nval: images/val\n{NAMES}',
    'another machine': (
        'train: /content/x-1/images/train\nval: /content/x-1/images/val\n'
        f'test: /content/x-1/images/test\n{NAMES}'
    ),
    'beside': f'train: ../images/train\nval: ../images/val\n{NAMES}',
    'lists': f'path: .\ntrain: train.txt\nval: val.txt\n{NAMES}',
    'several': f'train: [images/train, images/val]\nval:\n{NAMES}',
    'validated on test': f'train: images/train\ntest: images/val\n{NAMES}',
    'numbered': (
        'train: images/train\nval: images/val\nnames: {{1: dog, 0: cat}}'
    ),
}


@pytest.mark.parametrize('kind', SETTINGS)
def test_yolo_settings_as_people_have_them(kind, tmp_path):
    root = tmp_path / 'mes données' / 'yolo'
    writers.write_yolo(root)
    writers.write_coco(tmp_path / 'reference')
    lists = {'train': ('./images', range(8)), 'val': ('/old', range(8, 12))}
    for split, (start, numbers) in lists.items():
        names = [f'{start}/{split}/{number}.png' for number in numbers]
        if split == 'val':
            names = [n.replace('/old', '/old/images') for n in names]
        (root / f'{split}.txt').write_text('\n'.join(names) + '\n')
    settings = root / 'data.yaml'
    settings.write_text(SETTINGS[kind].format(root=root))
    reference, _ = prepared(tmp_path / 'reference')
    found, _ = prepared(settings if kind == 'lists' else root)
    assert targets(found) == targets(reference)
    assert {'train', 'val'} <= set(found.splits)


def test_settings_may_lie_elsewhere(tmp_path):
    writers.write_yolo(tmp_path / 'data')
    settings = tmp_path / 'settings' / 'mine.yaml'
    settings.parent.mkdir()
    (tmp_path / 'data' / 'data.yaml').rename(settings)
    settings.write_text(f'path: ../data\n{settings.read_text()}')
    found, _ = prepared(settings)
    assert found.root.resolve() == (tmp_path / 'data').resolve()


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('train: images/train\nnc: 2', 'has no names of classes'),
        ('train: images/train\nnames: [cat', 'cannot be read'),
        ('val: images/val\nnames: [cat, dog]', 'names no train folder'),
        ('train: images/tarin\nnames: [cat, dog]', 'images/tarin is not'),
        ('train: x.txt\nnames: [cat, dog]', r'x.txt: image a.png is not'),
        ('train: images/train\nnames: {a: cat}', 'names are not numbered'),
        ('train: images/train\nnames: {1: cat, 2: dog}', 'class 0, names'),
        ('train: empty\nnames: [cat, dog]', 'no image to train on'),
        ('train: bare\nnames: [cat, dog]', 'a.txt is not there, nor are'),
    ],
)
def test_bad_settings_are_named(text, said, tmp_path):
    root = tmp_path / 'data'
    writers.write_yolo(root)
    (root / 'x.txt').write_text('a.png')
    (root / 'empty').mkdir()
    writers.save_image(root / 'bare' / 'a.png', 0)
    (root / 'data.yaml').write_text(text)
    with pytest.raises(UserError, match=said):
        prepare_data(root)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'images': [7]}, r'images\[0\] is 7, not an object'),
        ({'annotations': ['x']}, r"annotations\[0\] is 'x'"),
        ({'annotations': None}, 'annotations is None, not a list'),
        ({'categories': {'1': 'cat'}}, 'categories is .*, not a list'),
        ({'images': [{'id': 1}]}, r'images\[0\] has no file_name'),
    ],
)
def test_what_is_not_built_as_coco_is_named(change, said, tmp_path):
    root = tmp_path / 'data'
    writers.write_two_files(root)
    data = {**writers.coco(range(8)), **change}
    (root / 'train.json').write_text(json.dumps(data))
    with pytest.raises(UserError, match=said):
        prepare_data(root)


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / 'street.zip').touch()
    with pytest.raises(UserError, match='is an archive; unpack it'):
        prepare_data(tmp_path / 'street.zip')


def test_panoptic_data_are_split(tmp_path):
    root = tmp_path / 'data'
    writers.write_panoptic(root)
    for path in root.glob('annotations/panoptic_val*'):
        path.rename(tmp_path / path.name)
    found, said = prepared(root)
    assert any('no validation split' in line for line in said)
    sizes = {}
    for name, split in found.splits.items():
        assert split.seg_dir == root / 'annotations' / 'panoptic_train'
        data = json.loads(split.ann_file.read_text())
        sizes[name] = len(data['images'])
        for image, one in zip(
            data['images'], data['annotations'], strict=True
        ):
            assert image['id'] == one['image_id']
            assert (split.image_dir / image['file_name']).is_file()
            assert (split.seg_dir / one['file_name']).is_file()
    assert sizes == {'train': 7, 'val': 1}


def test_lists_of_voc_are_the_splits(tmp_path):
    root = tmp_path / 'data'
    writers.write_semantic(root, split=False)
    (root / 'images').rename(root / 'JPEGImages')
    (root / 'masks').rename(root / 'SegmentationClass')
    (root / 'SegmentationClass' / '11.png').unlink()
    lists = root / 'ImageSets' / 'Segmentation'
    lists.mkdir(parents=True)
    for name, numbers in {'train': range(7), 'val': range(7, 11)}.items():
        (lists / f'{name}.txt').write_text('\n'.join(map(str, numbers)))
    found, _ = prepared(root)
    pairs = {
        name: label_pairs(split.image_dir, split.seg_dir, split.names)
        for name, split in found.splits.items()
    }
    assert pairs['train'][:2] == [('0.png', '0.png'), ('1.jpg', '1.png')]
    assert [len(found) for found in pairs.values()] == [7, 4]


def test_maps_in_a_folder_named_after_that_of_the_images(tmp_path):
    writers.write_semantic(tmp_path / 'data', suffix='_mask')
    root = tmp_path / 'data'
    for split in ('train', 'val'):
        (root / 'images' / split).rename(root / split)
        (root / 'masks' / split).rename(root / f'{split}_masks')
    found, _ = prepared(root)
    assert found.splits['val'].seg_dir == root / 'val_masks'
    assert found.splits['val'].image_dir == root / 'val'


def test_what_is_no_data_is_refused(tmp_path):
    with pytest.raises(UserError, match='holds none of'):
        prepare_data(tmp_path)
    with pytest.raises(UserError, match='is no folder, JSON file or'):
        prepare_data(tmp_path / 'none')


@pytest.mark.parametrize('form', ['roboflow', 'coco', 'yolo'])
def test_a_split_without_images_is_none(form, tmp_path):
    writers.WRITERS[form](tmp_path)
    empty = json.dumps({**writers.coco([]), 'images': []})
    for file in (
        *tmp_path.glob('valid/*.json'),
        *tmp_path.rglob('*_val.json'),
    ):
        file.write_text(empty)
    for image in (tmp_path / 'images' / 'val').glob('*.png'):
        image.unlink()
    found, said = prepared(tmp_path)
    assert 'no validation split' in said[1]
    assert set(found.splits) == {'train', 'val'}


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
