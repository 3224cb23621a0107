"""``python -m mmseg_plugin demo``."""

import json

import pytest

from tools import demo


@pytest.mark.slow
@pytest.mark.parametrize(
    'config',
    [
        pytest.param('maskdino_tiny_demo_scenes', marks=pytest.mark.soak),
        'maskdino_tiny_demo_scenes-panoptic',
    ],
)
def test_leaves_everything_it_promises_and_replaces_an_earlier_demo(
    run_tool, tmp_path, config
):
    out = tmp_path / 'demo'
    (out / 'predictions').mkdir(parents=True)
    (out / 'predictions' / 'stale').touch()
    size = ['--train', 16, '--val', 8, '--epochs', 1]
    done = run_tool('demo', '--config', config, '--out', out, *size)
    assert done.returncode == 0, done.stderr[-2000:]
    metrics = json.loads((out / 'metrics.json').read_text())
    assert 0 <= metrics['segm_mAP_50'] <= 1
    assert f'mask AP50 {metrics["segm_mAP_50"]:.3f}' in done.stdout
    assert ('PQ' in metrics) == ('panoptic' in config)
    assert (', PQ ' in done.stdout) == ('panoptic' in config)
    for kind in ('instances', 'panoptic'):
        assert (out / 'predictions' / f'{kind}.json').is_file()
    assert len(list((out / 'predictions' / 'drawn').iterdir())) == 8
    assert not (out / 'predictions' / 'stale').exists()
    curves = {p.suffix for p in (out / 'curves').iterdir()}
    assert curves == {'.png', '.csv', '.json'}
    assert '<h2>Outcome</h2>' in (out / 'report.html').read_text()
    for path in ('metrics.json', 'curves', 'predictions/drawn'):
        assert f'{out}/{path}\n' in done.stdout


def test_never_removes_a_folder_of_something_else(run_tool, tmp_path):
    (tmp_path / 'scenes').mkdir()
    (tmp_path / 'precious.txt').write_text('kept')
    done = run_tool('demo', '--out', tmp_path)
    assert done.returncode == 2
    assert 'holds precious.txt' in done.stderr
    assert len(list(tmp_path.iterdir())) == 2


def test_out_is_a_file(run_tool, tmp_path):
    path = tmp_path / 'file'
    path.touch()
    done = run_tool('demo', '--out', path)
    assert done.returncode == 2
    assert f'{path} is not a folder' in done.stderr


def test_too_few_images(run_tool, tmp_path):
    done = run_tool('demo', '--out', tmp_path / 'demo', '--val', 3)
    assert done.returncode == 2
    assert '--val must be at least 8, got 3' in done.stderr
    assert not list(tmp_path.iterdir())


def test_no_epoch(run_tool, tmp_path):
    done = run_tool('demo', '--out', tmp_path / 'demo', '--epochs', 0)
    assert done.returncode == 2
    assert '--epochs must be at least 1, got 0' in done.stderr


@pytest.mark.slow
@pytest.mark.soak
def test_another_model(run_tool, tmp_path):
    out = tmp_path / 'demo'
    few = ('--train', 16, '--val', 8, '--epochs', 1)
    config = 'mask-rcnn_tiny_fpn_demo_scenes'
    done = run_tool('demo', '--out', out, *few, '--config', config)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'segm_mAP_50' in json.loads((out / 'metrics.json').read_text())
    assert (out / 'run' / f'{config}.py').is_file()
    assert (out / 'run' / 'epoch_1.pth').is_file()


def test_a_failing_step_is_named(run_tool, tmp_path):
    done = run_tool('demo', '--out', tmp_path / 'demo', '--seed', -1)
    assert done.returncode == 2
    assert '--seed must not be negative' in done.stderr
    assert done.stderr.endswith(
        'make_scenes failed with exit code 2, see above\n'
    )


@pytest.mark.parametrize(
    'config', ['absent', 'mask-rcnn_mobilenetv2_fpn_bce_nuclei']
)
def test_another_config_leaves_an_earlier_demo_alone(
    run_tool, tmp_path, config
):
    (tmp_path / 'metrics.json').write_text('{}')
    done = run_tool('demo', '--out', tmp_path, '--config', config)
    assert done.returncode == 2
    assert f'{config} ' in done.stderr
    assert 'Traceback' not in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_an_interrupted_tool_may_tidy_up(monkeypatch):
    waits = []

    class Tool:
        def __init__(self, command):
            assert command[-2:] == ['train', 'x.py']

        def wait(self, timeout=None):
            waits.append(timeout)
            if len(waits) == 1:
                raise KeyboardInterrupt
            return 130

    monkeypatch.setattr(demo.subprocess, 'Popen', Tool)
    with pytest.raises(KeyboardInterrupt):
        demo.call('train', 'x.py')
    assert waits == [None, 60]
