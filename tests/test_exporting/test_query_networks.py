"""Query models in ONNX Runtime beside themselves in torch."""

import json

import numpy as np
import pytest
import torch

from mmseg_plugin.cli.cli import UserError
from tests.test_exporting.tiny_detectors import (
    CLASSES,
    HEADS,
    config_of,
    exported,
    parity,
    photo,
    query_detector,
)

onnx = pytest.importorskip('onnx', reason='export needs onnx')
pytest.importorskip('onnxruntime', reason='export needs onnxruntime')
STANDARD = {'', 'ai.onnx'}


@pytest.mark.parametrize('name', HEADS)
def test_any_size_gives_the_same_results(tmp_path, name):
    model, config = query_detector(name)
    path = tmp_path / 'model.onnx'
    file = exported(path, model, config_of(config))
    images = photo(70, 90), photo(64, 128, 1), photo(97, 64, 2)
    found = parity(model, file, *images)
    assert set(found.outputs) == {
        *('scores', 'boxes', 'masks', 'panoptic', 'semantic')
    }
    assert found.faults(1e-4) == []
    assert found.outputs['masks'].compared > 10
    proto = onnx.load(path)
    assert {item.domain for item in proto.opset_import} <= STANDARD
    assert sorted(p.name for p in tmp_path.iterdir()) == ['model.onnx']
    described = json.loads(proto.metadata_props[0].value)
    assert described['classes'] == list(CLASSES)
    assert described['thresholds']['object_mask_thr'] == 0.2


@pytest.mark.parametrize('sampling', ['grid', 'gather'])
def test_any_batch_gives_what_each_image_gives(tmp_path, sampling):
    model, config = query_detector('mask_dino')
    file = exported(
        *(tmp_path / 'm.onnx', model, config_of(config)),
        batch=True,
        results='input',
        sampling=sampling,
    )
    images = [photo(64, 96, seed) for seed in range(3)]
    assert parity(model, file, *images).faults(1e-4) == []
    feeds = [file.feed(image)[0]['image'] for image in images]
    together = file.run({'image': np.concatenate(feeds)})
    for i, feed in enumerate(feeds):
        for name, value in file.run({'image': feed}).items():
            np.testing.assert_allclose(
                together[name][i] * 1.0, value[0] * 1.0, atol=1e-3
            )


def test_pixels_of_any_image_give_its_results(tmp_path):
    model, config = query_detector('mask2former')
    resize = {'type': 'Resize', 'scale': (128, 96), 'keep_ratio': True}
    file = exported(
        *(tmp_path / 'm.onnx', model, config_of(config, resize)), pixels=True
    )
    assert file.inputs == ['image']
    found = parity(model, file, photo(200, 180), photo(60, 90, 1))
    # A pixel may be rounded otherwise.
    assert found.faults(5e-3) == []


@pytest.mark.parametrize('name', ['maskformer', 'mask_dino'])
def test_an_image_is_shrunk_to_a_fixed_size_and_padded(tmp_path, name):
    model, config = query_detector(name)
    file = exported(
        *(tmp_path / 'm.onnx', model, config_of(config)), size=(96, 128)
    )
    assert file.session.get_inputs()[0].shape == [1, 3, 96, 128]
    found = parity(model, file, photo(300, 200), photo(50, 90, 1))
    assert found.faults(1e-4) == []
    with pytest.raises(UserError, match='multiples of 32'):
        exported(tmp_path / 'n.onnx', model, config_of(config), size=(96, 100))


def test_no_query_looks_nowhere(tmp_path):
    model, config = query_detector('mask2former')
    # All masks are empty: every pixel lies outside of them.
    with torch.no_grad():
        model.panoptic_head.mask_embed[-1].weight.zero_()
        model.panoptic_head.mask_embed[-1].bias.fill_(-50.0)
        model.panoptic_head.pixel_decoder.mask_feature.weight.zero_()
        model.panoptic_head.pixel_decoder.mask_feature.bias.fill_(1.0)
    file = exported(tmp_path / 'm.onnx', model, config_of(config))
    image = photo(64, 96)
    found = file.run(file.feed(image)[0])
    for name, value in found.items():
        assert np.isfinite(value).all(), name
    assert not (found['masks'] > 0).any()
    assert parity(model, file, image).faults(1e-4) == []
