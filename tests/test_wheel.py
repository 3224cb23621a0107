"""The built wheel, in an environment and a folder of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mmseg_plugin.stack import active_stack

ROOT = Path(__file__).parents[1]
NOT_COPIED = ('.git', '.venv', 'work_dirs', 'build', '*.egg-info', '.*_cache')
# mim's name of mmdet, by stack.
MMDET = {'onedl': 'mmdetection', 'openmmlab': 'mmdet'}
CONFIG = 'mask-rcnn_tiny_fpn_demo_scenes'


def run(*command, cwd, env):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Python of an environment with the wheel, and variables to run it."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    shutil.copytree(
        ROOT,
        source,
        symlinks=True,
        ignore=shutil.ignore_patterns(*NOT_COPIED),
    )
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check')
    run(
        *(*pip, 'wheel', '--no-deps', '--no-build-isolation'),
        *('--wheel-dir', folder, source),
        cwd=folder,
        env=env,
    )
    shutil.rmtree(source)

    venv = folder / 'venv'
    run(
        sys.executable,
        '-m',
        'venv',
        '--without-pip',
        venv,
        cwd=folder,
        env=env,
    )
    site = next(venv.glob('lib/python*/site-packages'))
    # The stack of this environment is visible there, but nothing editable:
    # a path named in a .pth file has its own .pth files ignored.
    purelib = Path(sysconfig.get_paths()['purelib'])
    (site / 'stack.pth').write_text(str(purelib))
    # As on Python 3.12 and newer where setuptools is missing.
    gone = 'import sys; sys.modules.update(distutils=None, setuptools=None)'
    (site / 'no_setuptools.pth').write_text(gone)
    wheel = next(folder.glob('*.whl'))
    run(
        *(*pip, 'install', '--no-deps', '--no-index', '--target', site, wheel),
        cwd=folder,
        env=env,
    )
    env['PATH'] = f'{venv / "bin"}{os.pathsep}{env["PATH"]}'
    return venv / 'bin' / 'python', env


def test_any_script_finds_the_operators(installed, tmp_path):
    """The first import is not of the plugin, and what it needs is there."""
    python, env = installed
    code = 'import mmdet.models, sys; assert "mmseg_plugin" in sys.modules'
    run(python, '-c', code, cwd=tmp_path, env=env)
    run(python, '-c', 'import mmcv._ext', cwd=tmp_path, env=env)


def test_mim_trains_from_an_empty_folder(installed, tmp_path):
    python, env = installed
    where = run(
        *(python, '-c', 'import mmseg_plugin; print(mmseg_plugin.__file__)'),
        cwd=tmp_path,
        env=env,
    )
    assert str(python.parents[1]) in where

    tool = (python, '-m', 'mmseg_plugin')
    run(
        *(*tool, 'make_scenes', 'scenes', '--train', 4, '--val', 2),
        *('--size', 96, 96),
        cwd=tmp_path,
        env=env,
    )
    base = run(*tool, 'config', CONFIG, cwd=tmp_path, env=env).strip()
    (tmp_path / 'mine.py').write_text(
        f"""_base_ = {base!r}
train_dataloader = dict(batch_size=2)
train_cfg = dict(max_epochs=1, val_interval=1)
"""
    )
    mim = 'from mim.cli import cli; cli()'
    printed = run(
        *(python, '-c', mim, 'train', MMDET[active_stack()], 'mine.py'),
        *('--gpus', 0, '--work-dir', 'runs'),
        cwd=tmp_path,
        env={**env, 'SCENES_ROOT': 'scenes/'},
    )
    assert 'segm_mAP' in printed
    assert (tmp_path / 'runs' / 'epoch_1.pth').is_file()
