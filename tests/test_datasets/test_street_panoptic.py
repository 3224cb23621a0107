import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric

from mmseg_plugin.datasets import (
    CityscapesPanopticDataset,
    MapillaryInstanceDataset,
    MapillaryPanopticDataset,
)
from mmseg_plugin.evaluation import CocoPanopticMetric
from tests.test_datasets.panoptic_folder import write_png


def test_numbers_of_classes():
    for dataset, things, stuff in (
        (CityscapesPanopticDataset, 8, 11),
        (MapillaryPanopticDataset, 37, 28),
    ):
        meta = dataset.METAINFO
        assert len(meta['thing_classes']) == things
        assert len(meta['stuff_classes']) == stuff
        assert meta['classes'] == meta['thing_classes'] + meta['stuff_classes']
        assert len(set(meta['classes'])) == len(meta['palette'])


def segment(number, category, box, crowd=0):
    x, y, width, height = box
    return {
        'id': number,
        'category_id': category,
        'bbox': list(box),
        'area': width * height,
        'iscrowd': crowd,
    }


@pytest.fixture
def cityscapes(tmp_path):
    """One image, in the layout and category order of Cityscapes' tools."""
    name = 'aachen_000000_000019'
    categories = [
        {'id': 7, 'name': 'road', 'isthing': 0},
        {'id': 24, 'name': 'person', 'isthing': 1},
        {'id': 26, 'name': 'car', 'isthing': 1},
    ]
    names = [c['name'] for c in categories]
    for other in CityscapesPanopticDataset.METAINFO['classes']:
        if other not in names:
            thing = (
                other in CityscapesPanopticDataset.METAINFO['thing_classes']
            )
            categories.append(
                {'id': 100 + len(categories), 'name': other, 'isthing': thing}
            )
    boxes = {7: (0, 0, 20, 5), 26001: (0, 5, 10, 5), 24: (10, 5, 10, 5)}
    content = {
        'images': [
            {
                'id': name,
                'file_name': f'{name}_gtFine_leftImg8bit.png',
                'height': 10,
                'width': 20,
            }
        ],
        'annotations': [
            {
                'image_id': name,
                'file_name': f'{name}_gtFine_panoptic.png',
                'segments_info': [
                    segment(7, 7, boxes[7]),
                    segment(26001, 26, boxes[26001]),
                    segment(24, 24, boxes[24], crowd=1),
                ],
            }
        ],
        'categories': categories,
    }
    folder = tmp_path / 'gtFine' / 'cityscapes_panoptic_val'
    folder.mkdir(parents=True)
    (tmp_path / 'leftImg8bit' / 'val').mkdir(parents=True)
    ids = np.zeros((10, 20), np.int64)
    for number, (x, y, width, height) in boxes.items():
        ids[y : y + height, x : x + width] = number
    write_png(folder / f'{name}_gtFine_panoptic.png', ids)
    file = tmp_path / 'gtFine' / 'cityscapes_panoptic_val.json'
    file.write_text(json.dumps(content))
    return tmp_path


def build(root, **changes):
    return CityscapesPanopticDataset(
        data_root=str(root),
        ann_file='gtFine/cityscapes_panoptic_val.json',
        data_prefix={
            'img': 'leftImg8bit/val/',
            'seg': 'gtFine/cityscapes_panoptic_val/',
        },
        test_mode=True,
        **changes,
    )


def test_labels_are_things_first_and_paths_are_found(cityscapes):
    info = build(cityscapes).get_data_info(0)
    classes = CityscapesPanopticDataset.METAINFO['classes']
    labels = [segment['category'] for segment in info['segments_info']]
    assert [classes[label] for label in labels] == ['road', 'car', 'person']
    assert labels[0] >= 8
    # The crowd is no instance.
    assert [i['bbox_label'] for i in info['instances']] == [labels[1]]
    assert info['img_path'].endswith(
        'leftImg8bit/val/aachen/aachen_000000_000019_leftImg8bit.png'
    )
    assert info['seg_map_path'].endswith(
        'aachen_000000_000019_gtFine_panoptic.png'
    )


def test_evaluation_without_the_file(cityscapes):
    dataset = build(cityscapes)
    info = dataset.get_data_info(0)
    road, car, person = (s['category'] for s in info['segments_info'])
    encoded = np.full((1, 10, 20), road)
    encoded[0, 5:, :10] = car + 1000
    encoded[0, 5:, 10:] = person + 2000
    metric = CocoPanopticMetric()
    metric.dataset_meta = dataset.metainfo
    sample = {
        **{k: info[k] for k in ('img_id', 'seg_map_path', 'segments_info')},
        'img_path': info['img_path'],
        'pred_panoptic_seg': {'sem_seg': torch.from_numpy(encoded)},
    }
    metric.process({}, [sample])
    result = metric.evaluate(1)
    # Road and car; what lies on a crowd counts for nothing.
    assert result['coco_panoptic/PQ'] == pytest.approx(100)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        build(tmp_path)
    text = str(error.value)
    assert 'cityscapes_panoptic_val.json' in text
    assert 'leftImg8bit/val' in text
    assert 'csCreatePanopticImgs' in text
    (tmp_path / 'training').mkdir()
    with pytest.raises(FileNotFoundError, match='Mapillary Vistas 1.2'):
        MapillaryPanopticDataset(
            data_root=str(tmp_path),
            ann_file='training/panoptic_2018.json',
            data_prefix={'img': 'training/images/'},
        )


@pytest.fixture
def mapillary(tmp_path):
    """Two cars and a road, in the layout of Mapillary Vistas."""
    boxes = {5: (0, 0, 20, 4), 300: (0, 4, 10, 6), 70000: (10, 4, 10, 6)}
    meta = MapillaryPanopticDataset.METAINFO
    categories = [
        {'id': i, 'name': name, 'isthing': name in meta['thing_classes']}
        for i, name in enumerate(sorted(meta['classes']), 1)
    ]
    number = {c['name']: c['id'] for c in categories}
    names = dict(zip(boxes, ('Road', 'Car', 'Car'), strict=True))
    content = {
        'images': [
            {'id': 'a', 'file_name': 'a.jpg', 'height': 10, 'width': 20}
        ],
        'annotations': [
            {
                'image_id': 'a',
                'file_name': 'a.png',
                'segments_info': [
                    segment(i, number[names[i]], box)
                    for i, box in boxes.items()
                ],
            }
        ],
        'categories': categories,
    }
    (tmp_path / 'images').mkdir()
    (tmp_path / 'panoptic.json').write_text(json.dumps(content))
    ids = np.zeros((10, 20), np.int64)
    for i, (x, y, width, height) in boxes.items():
        ids[y : y + height, x : x + width] = i
    write_png(tmp_path / 'panoptic' / 'a.png', ids)
    return tmp_path


def test_instances_are_evaluated_without_a_file(mapillary):
    """Things only; finding one of two cars is half the precision."""
    dataset = MapillaryInstanceDataset(
        data_root=str(mapillary),
        ann_file='panoptic.json',
        data_prefix={'img': 'images/', 'seg': 'panoptic/'},
        test_mode=True,
        pipeline=[
            {
                'type': 'mmseg_plugin.LoadPanopticAnnotations',
                'with_seg': False,
                'with_rle': True,
            }
        ],
    )
    info = dataset[0]
    car = MapillaryInstanceDataset.METAINFO['classes'].index('Car')
    assert info['gt_bboxes_labels'].tolist() == [car, car]
    metric = CocoMetric(metric='segm')
    metric.dataset_meta = dataset.metainfo
    found = {
        'bboxes': info['gt_bboxes'].tensor[:1],
        'scores': torch.ones(1),
        'labels': torch.tensor([car]),
        'masks': torch.from_numpy(info['gt_masks'].masks[:1]),
    }
    sample = {
        'img_id': info['img_id'],
        'ori_shape': (10, 20),
        'instances': info['instances'],
        'pred_instances': found,
    }
    metric.process({}, [sample])
    # Precision 1 at the recalls 0, 0.01, ... 0.5, of 101.
    assert metric.evaluate(1)['coco/segm_mAP'] == pytest.approx(
        51 / 101, abs=1e-3
    )
