"""Result files for COCO's evaluation server, made without ground truth."""

import json
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset, CocoPanopticDataset
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, DefaultScope
from mmengine.structures import InstanceData, PixelData

CONFIGS = Path(__file__).parents[2] / 'configs/maskdino'
MODEL = 'maskdino_r50_8xb2-lsj-50e_coco'
IMAGE_ID = 42
FIRST_CATEGORY = 1000


def categories(names) -> list[dict]:
    return [
        {'id': FIRST_CATEGORY + i, 'name': name, 'isthing': int(i < 80)}
        for i, name in enumerate(names)
    ]


@pytest.fixture
def write_results(tmp_path, monkeypatch):
    """Writes the files of a config for one image and one prediction."""
    mmcv.imwrite(
        np.zeros((30, 40, 3), np.uint8), str(tmp_path / 'test2017/42.jpg')
    )
    image = {
        'id': IMAGE_ID,
        'file_name': '42.jpg',
        'height': 30,
        'width': 40,
    }
    info = {
        'images': [image],
        'categories': categories(CocoDataset.METAINFO['classes']),
    }
    both = {'categories': categories(CocoPanopticDataset.METAINFO['classes'])}
    folder = tmp_path / 'annotations'
    folder.mkdir()
    (folder / 'image_info_test-dev2017.json').write_text(json.dumps(info))
    (folder / 'panoptic_val2017.json').write_text(json.dumps(both))
    monkeypatch.setenv('COCO_ROOT', f'{tmp_path}/')
    monkeypatch.chdir(tmp_path)

    def write(name: str, **prediction) -> Path:
        config = Config.fromfile(CONFIGS / f'{name}.py')
        with DefaultScope.overwrite_default_scope('mmdet'):
            dataset = DATASETS.build(config.test_dataloader.dataset)
            evaluator = Evaluator(config.test_evaluator)
        evaluator.dataset_meta = dataset.metainfo
        sample = dataset[0]['data_samples']
        for key, value in prediction.items():
            setattr(sample, key, value)
        evaluator.process([sample])
        assert not evaluator.evaluate(len(dataset))
        return tmp_path / 'work_dirs'

    return write


def test_instances(write_results):
    masks = torch.zeros(1, 30, 40, dtype=torch.bool)
    masks[0, :10, :20] = True
    found = InstanceData(
        bboxes=torch.tensor([[0.0, 0.0, 20.0, 10.0]]),
        scores=torch.tensor([0.5]),
        labels=torch.tensor([3]),
        masks=masks,
    )
    folder = write_results(f'{MODEL}_test-dev', pred_instances=found)
    for kind in ('bbox', 'segm'):
        (entry,) = json.loads((folder / f'test-dev.{kind}.json').read_text())
        assert entry['image_id'] == IMAGE_ID
        assert entry['category_id'] == FIRST_CATEGORY + 3
        assert entry['score'] == 0.5
    assert entry['segmentation']['size'] == [30, 40]


def test_things_and_stuff(write_results):
    encoded = torch.full((1, 30, 40), 100)  # stuff
    encoded[0, :10, :20] = 1003
    folder = write_results(
        f'{MODEL}-panoptic_test-dev',
        pred_panoptic_seg=PixelData(sem_seg=encoded),
    )
    content = json.loads((folder / 'test-dev.panoptic.json').read_text())
    (entry,) = content['annotations']
    assert entry['image_id'] == IMAGE_ID
    found = {s['category_id'] for s in entry['segments_info']}
    assert found == {FIRST_CATEGORY + 3, FIRST_CATEGORY + 100}
    assert (folder / 'test-dev.panoptic/42.png').exists()
