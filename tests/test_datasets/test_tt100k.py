import json

import mmcv
import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmseg_plugin.datasets import TT100KDataset


def sign(category, *box):
    keys = ('xmin', 'ymin', 'xmax', 'ymax')
    return {
        'category': category,
        'bbox': dict(zip(keys, box, strict=True)),
        'ellipse_org': [],
    }


@pytest.fixture
def root(tmp_path):
    images = {
        '11': ('train', [sign('i2', 1, 2, 11.5, 22), sign('p99', 3, 3, 9, 9)]),
        '12': ('train', [sign('p99', 3, 3, 9, 9)]),
        '21': ('test', [sign('wo', 5, 6, 30, 40)]),
        '31': ('other', []),
    }
    content = {
        'types': ['i2', 'p99', 'wo'],
        'imgs': {
            name: {
                'path': f'{folder}/{name}.jpg',
                'id': int(name),
                'objects': signs,
            }
            for name, (folder, signs) in images.items()
        },
    }
    (tmp_path / 'annotations.json').write_text(json.dumps(content))
    for name, (folder, _) in images.items():
        # Smaller than the real ones, to be fast.
        picture = np.zeros((64, 64, 3), np.uint8)
        mmcv.imwrite(picture, str(tmp_path / folder / f'{name}.jpg'))
    return tmp_path


def test_signs_of_a_split(root):
    data = TT100KDataset('train', data_root=str(root))
    assert [data.get_data_info(i)['img_id'] for i in range(2)] == [11, 12]
    first = data.get_data_info(0)
    assert first['img_path'] == str(root / 'train' / '11.jpg')
    assert first['instances'] == [
        {'ignore_flag': 0, 'bbox': [1, 2, 11.5, 22], 'bbox_label': 0}
    ]
    assert data.get_data_info(1)['instances'] == []


def test_classes():
    classes = TT100KDataset.METAINFO['classes']
    assert len(classes) == len(set(classes)) == 45
    assert (classes[0], classes[-1]) == ('i2', 'wo')


def test_images_without_signs_are_filtered(root):
    data = TT100KDataset(
        'train', data_root=str(root), filter_cfg={'filter_empty_gt': True}
    )
    assert [info['img_id'] for info in data] == [11]


def test_missing_data_say_how_to_get_them(root):
    with pytest.raises(FileNotFoundError, match=r'unpack data\.zip'):
        TT100KDataset('train', data_root=str(root / 'elsewhere'))
    with pytest.raises(ValueError, match="no image in folder 'val'"):
        TT100KDataset('val', data_root=str(root))


def test_configured_pipeline_can_be_evaluated(root, monkeypatch):
    monkeypatch.setenv('TT100K_ROOT', f'{root}/')
    config = Config.fromfile('configs/_base_/datasets/tt100k.py')
    with DefaultScope.overwrite_default_scope('mmdet'):
        train = DATASETS.build(config.train_dataloader.dataset)
        test = DATASETS.build(config.test_dataloader.dataset)
    item = train[0]
    assert item['inputs'].shape == (3, 1400, 1400)
    scaled = item['data_samples'].gt_instances.bboxes.tensor
    expected = np.array([[1, 2, 11.5, 22]]) * 1400 / 64
    np.testing.assert_allclose(scaled, expected, rtol=1e-5)
    metric = CocoMetric(metric='bbox')
    metric.dataset_meta = test.metainfo
    sample = test[0]['data_samples']
    box = torch.tensor([[5.0, 6, 30, 40]])
    prediction = {
        'bboxes': box,
        'scores': torch.tensor([0.9]),
        'labels': torch.tensor([44]),
    }
    found = sample.to_dict()
    found['pred_instances'] = prediction
    metric.process({}, [found])
    assert metric.evaluate(1)['coco/bbox_mAP'] == 1
