"""``torchrun --max-restarts`` and restarts with other numbers of processes.

On CPUs, joined by gloo, by the command line of a user. One process of two is
killed while it trains; ``torchrun`` starts both again, and the run goes on
from its last checkpoint: its weights must be those of a run that was left
alone. Then three processes go on with it, then one.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather, get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner

from tests.toy_run import Noise, Toy

SECONDS = 300
CONFIG = """
custom_imports = dict(imports=['tests.soak.elastic'])
default_scope = 'mmdet'
model = dict(type='ElasticToy')
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(type='ElasticNoise'),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
default_hooks = dict(
    checkpoint=dict(
        type='mmseg_plugin.SafeCheckpointHook', interval=4, by_epoch=False
    ),
    logger=dict(type='LoggerHook', interval=1),
)
custom_hooks = [
    dict(type='mmseg_plugin.ExactResumeHook'),
    dict(type='KillOnce', at={at}, mark={mark!r}),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters={iters}, val_interval=1000
)
randomness = dict(seed=7)
"""


@MODELS.register_module()
class ElasticToy(Toy):
    """The toy model by name."""


@DATASETS.register_module()
class ElasticNoise(Noise):
    """Its data by name."""


@HOOKS.register_module()
class KillOnce(Hook):
    """Kills the last process at an iteration, the first time it comes there.

    Args:
        at: iteration, from 0.
        mark: file that says it has happened; and gets the iterations at
            which the run was started.
    """

    priority = 'VERY_LOW'

    def __init__(self, at: int, mark: str) -> None:
        self.at = at
        self.mark = Path(mark)

    def before_train(self, runner: Runner) -> None:
        if get_rank() == 0:
            with self.mark.with_suffix('.starts').open('a') as file:
                file.write(f'{runner.iter} ')

    def before_train_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        last = int(os.environ.get('WORLD_SIZE', '1')) - 1
        here = runner.iter == self.at and get_rank() == last
        if here and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def after_train(self, runner: Runner) -> None:
        weights = torch.cat([p.flatten() for p in runner.model.parameters()])
        for other in all_gather(weights.detach()):
            if not torch.equal(other, weights):
                raise RuntimeError('processes ended with other weights')


def train(
    folder: Path, processes: int, iters: int, at: int = -1
) -> torch.Tensor:
    """Trains as a user does; returns all weights.

    Args:
        folder: of the run.
        processes: to start, at first and again.
        iters: where the run ends.
        at: iteration at which one is killed.
    """
    folder.mkdir(exist_ok=True)
    config = folder / 'toy.py'
    mark = str(folder / 'killed')
    config.write_text(CONFIG.format(at=at, mark=mark, iters=iters))
    command = [sys.executable, '-m', 'torch.distributed.run']
    command += ['--nproc-per-node', str(processes), '--max-restarts', '1']
    # Any free port, so that several may run at once.
    command += ['--rdzv-backend', 'c10d', '--rdzv-endpoint', 'localhost:0']
    command += ['-m', 'mmseg_plugin', 'train', str(config), '--resume']
    command += ['--work-dir', str(folder), '--no-report']
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if ended.returncode:
        raise RuntimeError(f'{command}: {ended.stderr[-3000:]}')
    saved = torch.load(folder / f'iter_{iters}.pth', weights_only=False)
    return torch.cat([w.flatten() for w in saved['state_dict'].values()])


def main() -> None:
    root = Path(tempfile.mkdtemp())
    try:
        alone = train(root / 'alone', 2, 10)
        killed = train(root / 'killed', 2, 10, at=6)
        difference = float((alone - killed).abs().max())
        for processes, iters in ((3, 14), (1, 18)):
            train(root / 'killed', processes, iters)
        starts = (root / 'killed/killed.starts').read_text().split()
    finally:
        shutil.rmtree(root)
    print(
        f'a killed process of two: largest difference {difference:g}; the '
        f'run was started at iterations {", ".join(starts)}'
    )
    if difference or starts != ['0', '4', '10', '14']:
        raise SystemExit('the run did not go on as it should')


if __name__ == '__main__':
    main()
