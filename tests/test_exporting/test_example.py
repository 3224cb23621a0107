"""``examples/onnx_predict.py``, which knows nothing of this package."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmseg_plugin.exporting.recipe import Recipe
from tests.test_exporting.tiny_detectors import (
    config_of,
    exported,
    parity,
    photo,
    query_detector,
)

pytest.importorskip('onnx', reason='export needs onnx')
pytest.importorskip('onnxruntime', reason='export needs onnxruntime')
SCRIPT = Path(__file__).parents[2] / 'examples' / 'onnx_predict.py'
RESIZES = (
    None,
    {'scale': [90, 64]},
    {'fit': [64, 96]},
    {'fixed': [50, 70]},
    {'factor': 1.7},
    {'shortest': 40, 'longest': 60},
)


@pytest.mark.parametrize('rounded', [True, False])
@pytest.mark.parametrize('resize', RESIZES, ids=str)
def test_images_are_prepared_as_by_the_package(resize, rounded):
    size = [64, 96] if resize and 'fit' in resize else None
    recipe = Recipe(
        *(resize, [1, 2, 3], [50, 60, 70], 'rgb', 32, 0.5, size), rounded
    )
    script = runpy.run_path(str(SCRIPT))
    for image in (photo(57, 83), photo(83, 41, 1)):
        want, inside = recipe.prepare(image)
        got, size_inside = script['prepare'](
            image[..., ::-1], recipe._asdict()
        )
        assert inside == size_inside
        # A pixel may be rounded otherwise: one of 255 levels.
        most = 1.001 if rounded else 0.01
        assert got.shape == tuple(want.shape)
        assert np.abs(got - want.numpy()).max() <= most / 50


@pytest.mark.parametrize(
    'options',
    [{}, {'crops': True}, {'crops': True, 'pixels': True, 'results': 'input'}],
    ids=['whole', 'crop', 'pixels'],
)
def test_the_example_finds_what_the_package_finds(
    tmp_path, monkeypatch, options
):
    model, config = query_detector(
        'mask2former', panoptic_on=False, semantic_on=False
    )
    steps = []
    if options.get('pixels'):
        # Others resize by themselves, to pixels rounded otherwise.
        steps = [{'type': 'Resize', 'scale_factor': 0.8}]
    config = config_of(config, *steps)
    file = exported(tmp_path / 'm.onnx', model, config, **options)
    image = photo(70, 90)
    script = runpy.run_path(str(SCRIPT))
    found, meta, _ = script['run'](str(tmp_path / 'm.onnx'), image[..., ::-1])
    shown = file(image).pred_instances
    rows = found['labels'] >= 0
    assert rows.any()
    for name, key in (('scores', 'scores'), ('boxes', 'bboxes')):
        np.testing.assert_array_equal(found[name][rows], shown[key].numpy())
    np.testing.assert_array_equal(
        found['masks'][rows].astype(bool), shown.masks.numpy()
    )
    assert meta == file.meta
    if options.get('crops'):
        # No pixel that lies outside of the rectangles.
        raw = file.run(file.feed(image)[0])
        x1, y1, x2, y2 = raw['windows'][0].T
        assert len(raw['masks']) == ((x2 - x1) * (y2 - y1)).sum()
        assert raw['masks'].sum() == found['masks'].sum() > 0
    assert parity(model, file, image).faults(5e-3) == []
    cv2.imwrite(str(tmp_path / 'in.png'), image)
    words = [SCRIPT, tmp_path / 'm.onnx', tmp_path / 'in.png']
    monkeypatch.setattr(
        sys, 'argv', [str(word) for word in (*words, tmp_path / 'out.png')]
    )
    script['main']()
    drawn = cv2.imread(str(tmp_path / 'out.png'))
    whole = options.get('results') != 'input'
    assert drawn.shape == (image.shape if whole else (56, 72, 3))


@pytest.mark.slow
def test_the_example_runs_without_torch(tmp_path):
    model, config = query_detector('mask2former')
    exported(tmp_path / 'm.onnx', model, config_of(config))
    cv2.imwrite(str(tmp_path / 'in.png'), photo(70, 90))
    subprocess.run(
        [sys.executable, '-m', 'venv', tmp_path / 'env'], check=True
    )
    python = tmp_path / 'env' / 'bin' / 'python'
    plain = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    packages = ('numpy', 'onnxruntime', 'Pillow')
    pip = subprocess.run(
        [python, '-m', 'pip', 'install', '-q', '--no-compile', *packages],
        capture_output=True,
        text=True,
        env=plain,
    )
    if pip.returncode:
        pytest.skip(f'pip cannot install: {pip.stderr[-200:]}')
    outs = [
        subprocess.run(
            [python, *words],
            capture_output=True,
            text=True,
            env=plain,
            cwd=tmp_path,
        )
        for words in (
            ('-c', 'import torch'),
            (SCRIPT, 'm.onnx', 'in.png', 'out.png'),
        )
    ]
    assert 'No module' in outs[0].stderr
    assert outs[1].returncode == 0, outs[1].stderr
    assert 'segments: out.png' in outs[1].stdout
    assert (tmp_path / 'out.png').is_file()
