"""``torchrun`` on machines without a GPU, and after a process was killed."""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from mmengine.dist import all_gather, get_rank
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mmseg_plugin.cli import launch
from mmseg_plugin.cli.cli import UserError
from tests import warm
from tests.toy_run import toy_runner
from tools import train

ITERS = 9


class KillOnce(Hook):
    """Kills the second process at the start of the sixth iteration, once."""

    def __init__(self, folder):
        self.mark = folder / 'killed'

    def before_train_iter(self, runner, *args, **kwargs):
        if get_rank() == 1 and runner.iter == 5 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def train_rank(folder, kill):
    """A process of a run that saves every third iteration."""
    torch.set_num_threads(1)
    folder = Path(folder)
    hooks = [{'type': 'mmseg_plugin.ExactResumeHook'}]
    hooks += [KillOnce(folder)] if kill else []
    runner = toy_runner(
        folder, ITERS, resume=True, hooks=hooks, launcher='pytorch'
    )
    runner.train()
    assert type(runner.model) is MMDistributedDataParallel
    weights = torch.cat([p.flatten() for p in runner.model.parameters()])
    for other in all_gather(weights.detach()):
        assert torch.equal(other, weights)
    return weights.tolist(), len(runner.model.module.losses)


def run_processes(folder, count, kill=False):
    folder.mkdir(exist_ok=True)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        max_restarts=1,
        monitor_interval=0.1,
        rdzv_backend='c10d',
        rdzv_endpoint='localhost:0',
        start_method=warm.CONTEXT.get_start_method(),
    )
    found = elastic_launch(config, train_rank)(str(folder), kill)
    return found[0]


def test_a_killed_process_is_started_again(tmp_path):
    alone, steps = run_processes(tmp_path / 'alone', 2)
    assert steps == ITERS
    again, steps = run_processes(tmp_path / 'killed', 2, kill=True)
    # From the checkpoint of the third iteration.
    assert steps == ITERS - 3
    assert (tmp_path / 'killed/killed').exists()
    assert again == alone


@pytest.mark.parametrize(
    ('given', 'launcher'),
    [((), 'pytorch'), (('--launcher', 'slurm'), 'slurm')],
)
def test_processes_of_torchrun_are_joined(given, launcher, monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('LOCAL_RANK', '0')
    name = 'mask-rcnn_tiny_fpn_demo_scenes'
    monkeypatch.setattr(sys, 'argv', ['train', name, *given])
    monkeypatch.setattr(launch, 'preflight', lambda *args: None)
    monkeypatch.setattr(launch.runpy, 'run_path', lambda *args, **kw: None)
    launch.run_installed_tool('train')
    assert sys.argv[2:] == ['--launcher', launcher]


def test_several_processes_do_not_write_the_config_of_data(
    tmp_path, monkeypatch
):
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('LOCAL_RANK', '0')
    (tmp_path / 'images').mkdir()
    monkeypatch.setattr(sys, 'argv', ['train', str(tmp_path)])
    with pytest.raises(UserError, match='run "mmseg-plugin new DATA" once'):
        train.main()
