"""OpenVINO's own reader takes the files as they are."""

import numpy as np
import pytest

from tests.test_exporting.test_other_networks import DETECTORS, shipped
from tests.test_exporting.tiny_detectors import (
    HEADS,
    config_of,
    exported,
    photo,
    query_detector,
)

pytest.importorskip('onnx', reason='export needs onnx')
openvino = pytest.importorskip('openvino', reason='pip install openvino')


def outputs(path, feed):
    core = openvino.Core()
    hint = {'INFERENCE_PRECISION_HINT': 'f32'}
    run = core.compile_model(core.read_model(path), 'CPU', hint)
    found = run(feed)
    return {
        name: found[out] for out in run.outputs for name in out.get_names()
    }


@pytest.mark.parametrize('name', [*HEADS, *DETECTORS])
def test_results_are_those_of_onnx_runtime(tmp_path, name):
    if name in HEADS:
        model, config = query_detector(name)
        config = config_of(config)
    else:
        model, config = shipped(name)
    file = exported(tmp_path / 'm.onnx', model, config)
    feed, _ = file.feed(photo(70, 90))
    want = file.run(feed)
    got = outputs(tmp_path / 'm.onnx', feed)
    rows = want['labels'][0] >= 0 if 'labels' in want else None
    for key, value in want.items():
        other = got[key]
        if key in ('panoptic', 'semantic'):
            assert (value == other).mean() > 0.999, key
            continue
        # Rows that are no instance come in another order.
        one, two = value[0][rows], other[0][got['labels'][0] >= 0]
        assert one.shape == two.shape, key
        if key == 'masks':
            assert (one == two).mean() > 0.999
        else:
            np.testing.assert_allclose(one, two, atol=1e-3, err_msg=key)
