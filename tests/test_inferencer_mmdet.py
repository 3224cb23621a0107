"""mmdet's own inference with configs and checkpoints of every method."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.apis.predictor import dataset_meta
from tests.test_configs import LEAVES

NAMES = (
    'mask-rcnn_tiny_fpn_demo_scenes',
    'mask2former_tiny_demo_scenes-panoptic',
    'maskdino_tiny_demo_scenes-panoptic',
    'panoptic-fcn_tiny_demo_scenes',
)


@pytest.mark.parametrize('name', NAMES)
def test_a_picture_of_a_path_and_of_an_array(name, tmp_path):
    """Panoptic maps of a new model are all void, as a rule."""
    (path,) = [p for p in LEAVES if p.stem == name]
    config = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config.model)
    weights = tmp_path / 'model.pth'
    meta = {'dataset_meta': dataset_meta(config, 'test')}
    torch.save({'meta': meta, 'state_dict': model.state_dict()}, weights)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    image = tmp_path / 'image.png'
    assert cv2.imwrite(str(image), pixels)
    inferencer = DetInferencer(
        str(path), str(weights), device='cpu', show_progress=False
    )
    found = [
        inferencer(*(source, 1), out_dir=str(out), return_datasamples=True)[
            'predictions'
        ][0]
        for source, out in ((str(image), tmp_path / 'out'), (pixels, ''))
    ]
    assert list((tmp_path / 'out' / 'vis').iterdir())
    first, second = found
    assert first.ori_shape == (48, 64)
    if 'pred_panoptic_seg' in first:
        maps = [sample.pred_panoptic_seg.sem_seg for sample in found]
        assert maps[0].shape == (1, 48, 64)
        torch.testing.assert_close(*maps, rtol=0, atol=0)
    if 'pred_instances' in first:
        torch.testing.assert_close(
            first.pred_instances.scores, second.pred_instances.scores
        )
