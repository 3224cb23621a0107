"""Scenes of three classes, in every format: the targets are the same."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image
from pycocotools import mask as coder

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.datasets.scenes import SceneOptions
from mmseg_plugin.datasets.scenes.writing import make_scene
from mmseg_plugin.registry import DATASETS
from tests.test_apis.test_new_data import new
from tests.test_datasets.test_formats import writers

CLASSES = ('disc', 'box', 'triangle')
SIZE = (64, 96)
COUNT = 12


@pytest.fixture(scope='module')
def scenes():
    """Pixels, and class and outline of each object, of every image."""
    options = SceneOptions(size=SIZE, instances=(3, 6), empty_share=0)
    found = []
    for number in range(COUNT):
        pixels, layout = make_scene(options, 3, 'train', number)
        objects = []
        for value in np.unique(layout.instance_map)[1:]:
            mask = (layout.instance_map == value).astype(np.uint8)
            if mask.sum() > 30:
                objects.append((int(value) % 3, hull(mask)))
        found.append((pixels, objects))
    return found


def hull(mask):
    """An outline without holes and parts: every format can hold it."""
    parts, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.convexHull(max(parts, key=len))[:, 0].astype(float).tolist()


def raster(polygon):
    flat = [value for point in polygon for value in point]
    return coder.decode(coder.merge(coder.frPyObjects([flat], *SIZE)))


def visible(objects):
    """Ids from 1 of what is in front, 0 elsewhere."""
    ids = np.zeros(SIZE, np.uint8)
    for number, (_, polygon) in enumerate(objects, 1):
        ids[raster(polygon) > 0] = number
    return ids


def write_panoptic(root):
    """Things alone."""
    for split, numbers in writers.SPLITS.items():
        maps = root / 'annotations' / f'panoptic_{split}'
        maps.mkdir(parents=True)
        data = writers.coco(numbers, CLASSES)
        data['annotations'] = []
        for number in numbers:
            writers.save_image(root / split / f'{number}.png', number)
            objects = writers.shapes(number)
            ids = visible(objects)
            Image.fromarray(np.stack([ids, ids * 0, ids * 0], -1)).save(
                maps / f'{number}.png'
            )
            segments = [
                {
                    'id': place,
                    'category_id': label + 1,
                    'iscrowd': 0,
                    'area': int((ids == place).sum()),
                    'bbox': writers.box(ids == place),
                }
                for place, (label, _) in enumerate(objects, 1)
                if (ids == place).any()
            ]
            data['annotations'].append(
                {
                    'image_id': number,
                    'file_name': f'{number}.png',
                    'segments_info': segments,
                }
            )
        for category in data['categories']:
            category['isthing'] = 1
        path = root / 'annotations' / f'panoptic_{split}.json'
        path.write_text(json.dumps(data))


def write_semantic(root):
    for split, numbers in writers.SPLITS.items():
        (root / 'masks' / split).mkdir(parents=True)
        for number in numbers:
            name = f'{split}/{number}.png'
            writers.save_image(root / 'images' / name, number)
            Image.fromarray(labels_of(writers.shapes(number))).save(
                root / 'masks' / name
            )
    (root / 'classes.txt').write_text('\n'.join(CLASSES))


def labels_of(objects):
    table = np.array([255] + [label for label, _ in objects], np.uint8)
    return table[visible(objects)]


def expected(objects, form):
    if form == 'semantic':
        return labels_of(objects).tobytes()
    masks = [(label, raster(polygon)) for label, polygon in objects]
    if form == 'panoptic':
        ids = visible(objects)
        masks = [
            (label, ids == place) for place, (label, _) in enumerate(masks, 1)
        ]
    return sorted(
        (CLASSES[label], mask.astype(bool).tobytes())
        for label, mask in masks
        if mask.any()
    )


def loaded(results, form, names):
    """What the pipeline of training loads."""
    if form == 'semantic':
        return results['gt_seg_map'].tobytes()
    masks = results['gt_masks'].to_ndarray().astype(bool)
    labels = results['gt_bboxes_labels'].tolist()
    return sorted(
        (names[label], mask.tobytes())
        for label, mask in zip(labels, masks, strict=True)
    )


WRITERS = {
    **writers.WRITERS,
    'panoptic': write_panoptic,
    'semantic': write_semantic,
}


@pytest.mark.parametrize('form', WRITERS)
def test_the_targets_are_the_same(form, scenes, monkeypatch, tmp_path):
    def save(path, number):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), scenes[number][0])

    monkeypatch.setattr(writers, 'save_image', save)
    monkeypatch.setattr(writers, 'shapes', lambda n: scenes[n][1])
    monkeypatch.setattr(writers, 'CLASSES', CLASSES)
    monkeypatch.setattr(writers, 'SIZE', SIZE[::-1])
    WRITERS[form](tmp_path / 'data')
    path = new(tmp_path / 'data', tmp_path / 'x.py', model=None)
    config = Config.fromfile(path)
    init_default_scope('mmseg' if form == 'semantic' else 'mmdet')
    found = {}
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.pipeline = config.train_pipeline[:2]
        data = DATASETS.build(loader.dataset)
        for results in data:
            name = results['img_path'].rpartition('/')[2]
            classes = data.metainfo['classes']
            found[int(name[:-4])] = loaded(results, form, classes)
    assert found == {
        number: expected(objects, form)
        for number, (_, objects) in enumerate(scenes)
    }
