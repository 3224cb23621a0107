import mmcv
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from mmseg_plugin.benchmark import measure as module
from mmseg_plugin.benchmark.measure import Subject, measure
from mmseg_plugin.cli.configs import find_config
from tests.test_benchmark.toy_model import CONFIG

PARTS = {'forward', 'inference', 'training', 'complexity', 'evaluation'}


@pytest.fixture
def job(tmp_path):
    config, image = tmp_path / 'toy.py', tmp_path / 'image.png'
    config.write_text(CONFIG)
    mmcv.imwrite(np.full((50, 80, 3), 7, np.uint8), str(image))
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield {
            'config': str(config),
            'options': {},
            'checkpoint': None,
            'images': [str(image)],
            'size': [32, 64],
            'batch': 2,
            'rounds': 1,
            'device': 'cpu',
        }


def test_counts_of_a_known_model(job):
    result = measure(job)
    assert result['failed'] == {}
    assert result['params'] == 4 * 3 * 9 + 4 + 4 * 10 * 8
    # Nine products for each channel pair and pixel; scores and sums of four
    # heads, 10 by 10 tokens, 8 channels.
    assert result['macs'] == 32 * 64 * 12 * 9 + 2 * 4 * 100 * 8
    assert result['input_size'] == [32, 64]
    for key in ('forward_s', 'predict_s', 'step_s'):
        assert result[key] > 0
    assert 10 < result['inference_mb'] <= result['training_mb']
    assert 'metrics' not in result


def test_what_is_run(job):
    subject = Subject({**job, 'rounds': 2})
    module.forward(subject)
    module.inference(subject)
    assert (
        subject.model.seen
        == [('tensor', 1, False)] * 3 + [('predict', 1, False)] * 3
    )
    subject.model.seen.clear()
    before = subject.model.conv.weight.clone()
    module.training(subject)
    assert subject.model.seen == [('loss', 2, True)] * 3
    assert torch.equal(subject.model.conv.weight, before)
    assert not subject.model.training


def test_seconds_are_the_best_mean(job, monkeypatch):
    subject = Subject({**job, 'rounds': 2})
    ticks = iter([0.0, 10.0, 20.0, 24.0])
    for clock in ('perf_counter', 'process_time'):
        monkeypatch.setattr(module.time, clock, lambda: next(ticks))
    calls = []
    assert subject.seconds(calls.append, ['a', 'b']) == 2.0
    assert calls == ['a', *'abab']


@pytest.mark.parametrize(
    ('mode', 'parts'),
    [
        ('loss', {'training'}),
        ('predict', {'inference'}),
        ('tensor', {'forward', 'complexity'}),
    ],
)
def test_other_parts_go_on(job, mode, parts):
    result = measure({**job, 'options': {'model.broken': mode}})
    assert result['failed'] == dict.fromkeys(parts, 'ValueError: broken')
    if 'training' not in parts:
        assert result['step_s'] > 0
    if 'inference' not in parts:
        assert result['predict_s'] > 0


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'config': 'nothing.py'}, 'FileNotFoundError'),
        ({'options': {'model.type': 'NoSuchModel'}}, 'KeyError'),
        ({'images': ['nothing.png']}, 'FileNotFoundError'),
        ({'checkpoint': 'nothing.pth'}, 'UserError'),
        ({'device': 'no-device'}, 'RuntimeError'),
    ],
)
def test_models_that_cannot_be_built(job, change, reason):
    result = measure({**job, **change})
    assert list(result['failed']) == ['model']
    assert result['failed']['model'].startswith(reason)


@pytest.mark.parametrize(
    'name',
    [
        'mask2former_tiny_demo_scenes-panoptic',
        'per-pixel-baseline_tiny_demo_scenes-semantic',
    ],
)
def test_shipped_models(job, name):
    result = measure(
        {**job, 'config': str(find_config(name)), 'size': [64, 64]}
    )
    assert result['failed'] == {}
    assert result['macs'] > 1e6
