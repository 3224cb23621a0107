"""Options of ``export`` beside each other, every pair with every model."""

import runpy
import sys
from itertools import combinations, product
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.exporting.session import OnnxModel
from tests.test_exporting.test_other_networks import PER_PIXEL, shipped
from tests.test_exporting.tiny_detectors import (
    CLASSES,
    config_of,
    photo,
    query_detector,
)
from tests.tiny_mask_dino import without_masks
from tests.tiny_segmentors import (
    mask2former_config,
    query_decode_head,
    segmentor,
)
from tools import export

pytest.importorskip('onnx', reason='export needs onnx')
pytest.importorskip('onnxruntime', reason='export needs onnxruntime')
SCRIPT = Path(__file__).parents[2] / 'examples' / 'onnx_predict.py'
NO_MAPS = {'panoptic_on': False, 'semantic_on': False}
SEGMENTOR = {
    'type': 'mmseg.SegDataPreProcessor',
    'mean': [123.675, 116.28, 103.53],
    'std': [58.395, 57.12, 57.375],
    'bgr_to_rgb': True,
    'test_cfg': {'size_divisor': 32},
}


def detector(name, **test_cfg):
    model, config = query_detector(name, **test_cfg)
    return model, config_of(config)


def of_mmseg(head):
    model = segmentor(head)
    config = config_of({'data_preprocessor': SEGMENTOR}, scope='mmseg')
    return model, config


def boxes_alone():
    model, config = detector('mask_dino', **NO_MAPS)
    torch.manual_seed(0)
    model.panoptic_head = without_masks(use_sigmoid=True).eval()
    return model, config


MODELS = {
    'boxes': boxes_alone,
    'mask2former': lambda: detector('mask2former'),
    'maskformer': lambda: detector('maskformer', **NO_MAPS),
    'mask_dino': lambda: detector('mask_dino', semantic_on=False),
    'mask_rcnn': lambda: shipped('mask-rcnn_tiny_fpn_demo_scenes'),
    'panoptic_fcn': lambda: shipped('panoptic-fcn_tiny_demo_scenes'),
    'per_pixel': lambda: of_mmseg(PER_PIXEL),
    'queries': lambda: of_mmseg(query_decode_head(mask2former_config())),
}
INPUTS = (
    '--dynamic size',
    '--dynamic batch,size',
    '--dynamic batch --size 96 128',
    '--size 96 128',
    '--preprocess',
    '--preprocess --size 96 128',
)
FACTORS = (
    tuple(MODELS),
    INPUTS,
    ('', '--half', '--int8 dynamic', '--int8 static'),
    ('', '--results original', '--results input'),
    ('', '--masks crop'),
    ('', '--sampling gather'),
)
INSTANCES = {'boxes': 'bboxes', 'masks': 'masks', 'labels': 'labels'}
ONE_IMAGE = ('mask_rcnn', 'panoptic_fcn', 'queries')


def pairs(row):
    return set(combinations(enumerate(row), 2))


def mixes():
    """Rows in which each value of a factor meets each of another one."""
    rows = {row: pairs(row) for row in product(*FACTORS)}
    left = set().union(*rows.values())
    while left:
        best = max(rows, key=lambda row: len(rows[row] & left))
        left -= rows[best]
        yield best


def refusal(name, inputs, results):
    """What is said of a mix that cannot be; empty if it can."""
    if 'batch' not in inputs:
        return ''
    if 'original' in results:
        return 'original images of a batch differ in size'
    return 'no --dynamic batch' if name in ONE_IMAGE else ''


@pytest.mark.soak
@pytest.mark.parametrize(
    'mix', [pytest.param(row, id=' '.join(row)) for row in mixes()]
)
def test_a_mix_works_or_is_refused(tmp_path, monkeypatch, mix):
    name, *options = mix
    model, config = MODELS[name]()
    out, picture = tmp_path / 'out' / 'm.onnx', tmp_path / 'in.png'
    image = photo(70, 90)
    cv2.imwrite(str(picture), image)
    ready = SimpleNamespace(
        model=model,
        meta={'classes': CLASSES * 27},
        read=lambda path: cv2.imread(str(path)),
    )
    monkeypatch.setattr(export, 'Predictor', lambda *_: ready)
    monkeypatch.setattr(export, 'read_source', lambda _: (config, '', out))
    words = ['export', 'run', *' '.join(options).split()]
    words += ['--images', str(picture), '--tolerance', '5e-2']
    monkeypatch.setattr(sys, 'argv', words)
    said = refusal(name, options[0], options[2])
    if said:
        with pytest.raises(UserError, match=said):
            export.main()
        assert not out.parent.exists() or not list(out.parent.iterdir())
        return
    if 'int8' in options[1]:
        # Random weights: what agreement that leaves is not to be foreseen.
        words[-1] = '10'
    export.main()
    assert {p.name for p in out.parent.iterdir()} == {'m.onnx', 'parity.csv'}
    check_example(out, image, tmp_path / 'out.png', monkeypatch)


def check_example(out, image, drawn, monkeypatch):
    """It finds what the package finds, and draws it."""
    script = runpy.run_path(str(SCRIPT))
    found, meta, inside = script['run'](str(out), image[..., ::-1])
    file = OnnxModel(out, threads=1)
    if meta['preprocessing']['size'] is None:
        shown = file(image)
        if 'scores' in found:
            rows = found['labels'] >= 0
            for key, field in INSTANCES.items():
                if key in found:
                    value = shown.pred_instances[field]
                    np.testing.assert_array_equal(found[key][rows], value)
        for key, field in (
            ('panoptic', 'pred_panoptic_seg'),
            ('semantic', 'pred_sem_seg'),
        ):
            if key in found:
                (value,) = getattr(shown, field).values()
                np.testing.assert_array_equal(found[key], value[0])
    words = [SCRIPT, out, drawn.with_name('in.png'), drawn]
    monkeypatch.setattr(sys, 'argv', list(map(str, words)))
    script['main']()
    size = image.shape[:2] if meta['results'] == 'original' else inside
    assert cv2.imread(str(drawn)).shape[:2] == tuple(size)
