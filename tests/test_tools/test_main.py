import inspect
import os
import subprocess
import sys

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_plugin.__main__ import describe, share_cores, tool_paths
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import (
    READ_ELSEWHERE,
    expand,
    find_config,
    shipped_configs,
)


def test_without_arguments_every_tool_is_listed(run_tool):
    done = run_tool()
    assert done.returncode == 0
    for name, path in tool_paths().items():
        line = next(
            x for x in done.stdout.splitlines() if x.strip().startswith(name)
        )
        assert describe(path) in line
        assert describe(path)


def test_an_unknown_tool_is_refused(run_tool):
    done = run_tool('trian')
    assert done.returncode
    assert "no tool 'trian'" in done.stderr


@pytest.mark.parametrize('tool', tool_paths())
def test_every_tool_has_help_and_refuses_an_unknown_flag(run_tool, tool):
    done = run_tool(tool, '--help')
    assert done.returncode == 0
    # As it is typed, but for the tools of mmdet.
    if tool not in ('train', 'test'):
        assert f'{tool}.py' not in done.stdout
    done = run_tool(tool, '--no-such-flag')
    assert done.returncode not in (0, None)
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, '1000'),
        ({'GOMP_SPINCOUNT': '7'}, '7'),
        ({'OMP_WAIT_POLICY': 'ACTIVE'}, None),
    ],
)
def test_idle_threads_of_openmp_sleep_soon(given, expected, monkeypatch):
    monkeypatch.setattr(os, 'environ', dict(given))
    share_cores()
    assert os.environ.get('GOMP_SPINCOUNT') == expected


def test_openmp_is_told_before_torch_loads_it():
    code = (
        'import os, sys; from mmseg_plugin.__main__ import run_tool;'
        'assert "torch" not in sys.modules; run_tool();'
        'print(os.environ["GOMP_SPINCOUNT"])'
    )
    env = {k: v for k, v in os.environ.items() if k != 'OMP_WAIT_POLICY'}
    out = subprocess.check_output([sys.executable, '-c', code], env=env)
    assert out.endswith(b'\n1000\n')


def test_config_prints_a_path(run_tool):
    name, path = next(iter(shipped_configs().items()))
    done = run_tool('config', name)
    assert done.stdout.strip() == str(path)
    assert name in run_tool('config').stdout


@pytest.mark.parametrize(
    'name',
    [
        'maskdino_tiny_demo_scenes',
        'mask2former_tiny_demo_scenes-semantic',
        'mask2former-ibs_tiny_dense-scenes-512x512',
        'mask-rcnn_tiny_efpn_head_nuclei',
    ],
)
def test_an_expanded_config_loads_to_the_same(name, tmp_path):
    path = find_config(name)
    whole = tmp_path / 'whole.py'
    whole.write_text(expand(path))
    assert '_base_' not in whole.read_text()
    was, now = (Config.fromfile(p).to_dict() for p in (path, whole))
    assert now['model'] == was['model']
    read = set(inspect.signature(Runner).parameters) | READ_ELSEWHERE
    assert now == {key: was[key] for key in set(was) & read}


def test_expand_needs_a_name(run_tool):
    done = run_tool('config', '--expand')
    assert done.returncode == 2
    assert 'needs the name of a config' in done.stderr


def test_an_unknown_config_is_refused_with_close_names():
    name = next(iter(shipped_configs()))
    with pytest.raises(UserError, match=name):
        find_config(name + 'x')


def test_train_and_test_refuse_bad_input(run_tool, tmp_path):
    said = run_tool('train', 'absent.py').stderr
    assert 'nor the name of a shipped config' in said
    broken = tmp_path / 'broken.py'
    broken.write_text('model = dict(\n')
    done = run_tool('train', broken)
    assert done.returncode == 2
    assert 'broken.py cannot be read' in done.stderr
    empty = tmp_path / 'empty.py'
    empty.write_text("default_scope = 'mmdet'\n")
    assert 'empty.py has no model' in run_tool('train', empty).stderr
    empty.write_text("default_scope = 'mmocr'\nmodel = dict()\n")
    assert "'mmocr'" in run_tool('train', empty).stderr
    empty.write_text("default_scope = 'mmdet'\nmodel = dict()\n")
    done = run_tool('test', empty, 'absent.pth')
    assert done.returncode == 2
    assert 'absent.pth cannot be found' in done.stderr


def test_flags_may_come_first_as_in_mmdet(run_tool):
    name = 'mask-rcnn_tiny_fpn_demo_scenes'
    done = run_tool('test', '--show', '--work-dir', name, name, 'absent.pth')
    assert 'absent.pth cannot be found' in done.stderr
    done = run_tool('train', '--amp', '--work-dir', name, name)
    # It was looked up, and only its data are missing.
    assert done.stderr.splitlines()[-1].startswith('error: data/scenes/')


def test_bench_refuses_an_unknown_name(run_tool):
    done = run_tool('bench', 'mask_path', 'no_such_bench')
    assert done.returncode == 2
    assert 'no benchmark is called like no_such_bench' in done.stderr


def test_train_names_missing_data(run_tool):
    done = run_tool('train', 'mask-rcnn_tiny_fpn_demo_scenes')
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith('error: data/scenes/')
    assert 'cannot be found' in last
    assert 'Traceback' not in done.stderr


def test_doctor_finds_nothing_wrong(run_tool):
    done = run_tool('doctor')
    assert done.returncode == 0, done.stdout
    assert '!!' not in done.stdout


@pytest.mark.parametrize('arguments', ['--help', 'weights list'])
def test_whoever_reads_may_leave(arguments):
    """As `| head -1` does."""
    command = f'{sys.executable} -m mmseg_plugin {arguments} | true; '
    done = subprocess.run(
        ['bash', '-c', command + 'exit ${PIPESTATUS[0]}'],
        capture_output=True,
        text=True,
    )
    # By SIGPIPE; 0 if all was written before.
    assert done.returncode in (0, 141)
    assert done.stderr == ''
