import json

import mmcv
import numpy as np
import pytest

from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import call
from tools import benchmark_zoo

DEMO = 'mask2former_tiny_demo_scenes-panoptic'
OTHER = 'maskdino_tiny_demo_scenes'


@pytest.fixture
def run_zoo(tmp_path, monkeypatch):
    mmcv.imwrite(
        np.full((64, 64, 3), 7, np.uint8), str(tmp_path / 'images/a.png')
    )

    def run_zoo(*arguments):
        arguments = [*arguments, '--images', tmp_path / 'images']
        arguments += ['--out', tmp_path / 'out', '--device', 'cpu']
        call(benchmark_zoo.main, monkeypatch, *arguments)
        return json.loads((tmp_path / 'out/zoo.json').read_text())

    return run_zoo


@pytest.fixture
def measured(monkeypatch):
    """Names of the models measured; those in ``broken`` fail."""
    names, broken = [], set()

    def measured(job, path):
        names.append(job['model'])
        failed = {'model': 'why'} if job['model'] in broken else {}
        result = {'job': job, 'params': 7, 'failed': failed}
        path.write_text(json.dumps(result))
        return result

    monkeypatch.setattr(benchmark_zoo, 'measured', measured)
    measured.names, measured.broken = names, broken
    return measured


@pytest.mark.slow
def test_measures_and_goes_on(run_zoo, tmp_path, capsys):
    bad = tmp_path / 'bad.py'
    bad.write_text("model = dict(type='NoSuchModel')")
    results = run_zoo(bad, DEMO, '--rounds', 1, '--size', 64, 64)
    assert 'NoSuchModel' in results[0]['failed']['model']
    assert results[1]['failed'] == {}
    assert results[1]['params'] > 1e5
    table = (tmp_path / 'out/zoo.md').read_text()
    assert f'`{DEMO}`' in table
    assert f'- `{bad}`, model: KeyError' in table
    assert table in capsys.readouterr().out
    assert not list((tmp_path / 'out').glob('*.job'))


def test_dead_process_is_a_failure(run_zoo, monkeypatch):
    class Dead:
        returncode = -9

    monkeypatch.setattr(benchmark_zoo.subprocess, 'run', lambda *_, **__: Dead)
    (result,) = run_zoo(DEMO)
    assert result['failed']['model'] == (
        f'its process ended with code -9, see {DEMO}.log'
    )


def test_two_checkpoints_of_a_config_are_two_models(
    run_zoo, measured, tmp_path
):
    models = []
    for run in ('a', 'b'):
        path = tmp_path / run / 'last.pth'
        path.parent.mkdir()
        path.touch()
        models.append(f'{DEMO}={path}')
    run_zoo(*models)
    results = run_zoo(*models)
    assert measured.names == models
    assert [result['job']['model'] for result in results] == models


def test_finished_models_are_not_measured_again(run_zoo, measured):
    measured.broken.add(OTHER)
    run_zoo(DEMO, OTHER)
    assert measured.names == [DEMO, OTHER]
    measured.broken.clear()
    results = run_zoo(DEMO, OTHER, OTHER)
    assert measured.names == [DEMO, OTHER, OTHER]
    assert [result['failed'] for result in results] == [{}, {}]


def test_other_settings_are_measured(run_zoo, measured):
    run_zoo(DEMO)
    run_zoo(DEMO, '--batch', 1)
    run_zoo(DEMO, '--batch', 1)
    run_zoo(DEMO, '--batch', 1, '--cfg-options', 'model.test_cfg.x=(1,2)')
    run_zoo(DEMO, '--batch', 1, '--cfg-options', 'model.test_cfg.x=(1,2)')
    assert measured.names == [DEMO] * 3


def test_table_is_there_after_each_model(run_zoo, measured, monkeypatch):
    def interrupted(job, path):
        if job['model'] == OTHER:
            raise KeyboardInterrupt
        return measured(job, path)

    monkeypatch.setattr(benchmark_zoo, 'measured', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_zoo(DEMO, OTHER)
    monkeypatch.setattr(benchmark_zoo, 'measured', measured)
    assert len(run_zoo(DEMO, OTHER)) == 2
    assert measured.names == [DEMO, OTHER]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nothing'], 'nothing is neither there nor the name'),
        ([f'{DEMO}=no.pth'], f'checkpoint no.pth of {DEMO} is not a file'),
        ([DEMO, '--rounds', 0], '--rounds must be at least 1, got 0'),
        ([DEMO, '--num-images', -1], '--num-images must be at least 1'),
        ([DEMO, '--size', 8, 64], '--size must be at least 32 32'),
    ],
)
def test_bad_input(run_zoo, measured, arguments, message):
    with pytest.raises(UserError, match=message):
        run_zoo(*arguments)
    assert not measured.names


def test_folder_without_images(measured, monkeypatch, tmp_path):
    with pytest.raises(UserError, match='holds no images'):
        call(
            benchmark_zoo.main,
            monkeypatch,
            *[DEMO, '--images', tmp_path, '--out', tmp_path / 'out'],
        )
