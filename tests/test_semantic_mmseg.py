"""mmseg's own inference with the configs that ship for mmseg."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.apis import MMSegInferencer, inference_model, init_model
from mmseg.apis.utils import _preprare_data

from tests.test_configs import CONFIGS, LEAVES, bases, by_name, load

SCHEDULE = CONFIGS / '_base_' / 'schedules' / 'semantic.py'
SEGMENTORS = [p for p in LEAVES if SCHEDULE in bases(p)]
TINY = 'per-pixel-baseline_tiny_demo_scenes-semantic'


class OnlyConfig:
    """What mmseg asks of a model before it runs."""

    def __init__(self, cfg):
        self.cfg = cfg


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'image.png'
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path, pixels


def test_there_are_some():
    assert len(SEGMENTORS) > 10
    assert {load(p).default_scope for p in SEGMENTORS} == {'mmseg'}


@pytest.mark.parametrize('path', by_name(SEGMENTORS))
def test_inference_model_reads_images_without_annotations(path, image):
    for source in (str(image[0]), image[1]):
        cfg = copy.deepcopy(load(path))
        with DefaultScope.overwrite_default_scope('mmseg'):
            data, is_batch = _preprare_data(source, OnlyConfig(cfg))
        assert not is_batch
        (sample,) = data['data_samples']
        assert sample.ori_shape == (48, 64)
        assert 'gt_sem_seg' not in sample


@pytest.mark.parametrize('path', by_name(SEGMENTORS))
def test_inferencer_reads_images_without_annotations(path, image):
    cfg = copy.deepcopy(load(path))
    bare = MMSegInferencer.__new__(MMSegInferencer)
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = bare._init_pipeline(cfg)
        for source in (str(image[0]), image[1]):
            data = pipeline(source)
            assert data['data_samples'].ori_shape == (48, 64)


def test_a_model_from_end_to_end(image, tmp_path):
    (path,) = [p for p in SEGMENTORS if p.stem == TINY]
    model = init_model(str(path), device='cpu')
    checkpoint = tmp_path / 'model.pth'
    meta = {
        'dataset_meta': {
            'classes': tuple('abcdefghi'),
            'palette': [[i, i, i] for i in range(9)],
        }
    }
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, checkpoint)
    model = init_model(str(path), str(checkpoint), device='cpu')
    want = inference_model(model, str(image[0])).pred_sem_seg.data[0].numpy()
    assert want.shape == (48, 64)
    # From here on this model takes arrays alone.
    found = inference_model(model, image[1]).pred_sem_seg.data[0]
    np.testing.assert_array_equal(found, want)
    inferencer = MMSegInferencer(
        Config.fromfile(path), str(checkpoint), device='cpu'
    )
    result = inferencer(str(image[0]), out_dir=str(tmp_path / 'out'))
    np.testing.assert_array_equal(result['predictions'], want)
    assert list((tmp_path / 'out' / 'vis').iterdir())
