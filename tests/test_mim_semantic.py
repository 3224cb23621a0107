"""`mim train` of a semantic model, as a user types it."""

import os
import subprocess
import sys
from pathlib import Path

from mmseg_plugin.stack import active_stack

# mim's name of mmseg, by stack.
MMSEG = {'onedl': 'mmsegmentation', 'openmmlab': 'mmseg'}


def test_mim_trains_and_evaluates_from_an_empty_folder(run_tool, tmp_path):
    done = run_tool(
        *('make_scenes', 'data/scenes', '--train', 4, '--val', 2),
        *('--size', 96, 96),
    )
    assert done.returncode == 0, done.stderr
    config = run_tool('config', 'mask2former_tiny_demo_scenes-semantic')
    mim = 'from mim.cli import cli; cli()'
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    command = [sys.executable, '-c', mim, 'train', MMSEG[active_stack()]]
    command += [config.stdout.strip(), '--gpus', '0', '--work-dir', 'runs']
    command += ['--cfg-options', 'train_cfg.max_iters=2']
    command += ['train_cfg.val_interval=2']
    done = subprocess.run(
        [*command, 'default_hooks.checkpoint.interval=2'],
        cwd=tmp_path,
        env={**os.environ, 'PATH': path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert 'mIoU' in done.stdout
    assert (tmp_path / 'runs' / 'iter_2.pth').is_file()
