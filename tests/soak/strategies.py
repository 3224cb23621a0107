"""Trains by FlexibleRunner's strategies in two processes on the CPU.

The weights that FSDP leaves after some steps must be those of DDP. Both need
a device named, as MMEngine takes the rank for a GPU's number.
"""

import os
import subprocess
import sys
import tempfile
from typing import Any

import mmengine.runner.runner as mmengine_runner
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_rank
from mmengine.runner import FlexibleRunner
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.utils.data import DataLoader

from tests.soak.memory import Scenes
from tests.soak.processes import TOLERANCE, build

STRATEGIES: dict[str, dict[str, Any]] = {
    'DDPStrategy': {
        'type': 'MMDistributedDataParallel',
        'device_ids': None,
        'broadcast_buffers': False,
    },
    'FSDPStrategy': {
        'type': 'MMFullyShardedDataParallel',
        'device_id': torch.device('cpu'),
    },
}
STEPS = 4

# It asks the compilers of the machine for their versions.
mmengine_runner.collect_env = dict


def trained(name: str, folder: str) -> dict[str, torch.Tensor]:
    """All weights after some steps, on each process."""
    model, config = build('mask2former')
    data = Scenes(config, STEPS * 2)
    runner = FlexibleRunner(
        model,
        work_dir=f'{folder}/{name}',
        strategy={'type': name, 'model_wrapper': STRATEGIES[name]},
        launcher='pytorch',
        train_dataloader=DataLoader(data, collate_fn=pseudo_collate),
        train_cfg={
            'type': 'IterBasedTrainLoop',
            'max_iters': STEPS,
            'val_interval': STEPS + 1,
        },
        optim_wrapper={
            'type': 'OptimWrapper',
            'optimizer': {'type': 'AdamW', 'lr': 1e-4},
        },
        default_hooks={
            'checkpoint': {
                'type': 'CheckpointHook',
                'by_epoch': False,
                'interval': STEPS,
            }
        },
        randomness={'seed': 0},
        experiment_name=name,
        log_level='ERROR',
    )
    runner.train()
    wrapped = runner.strategy.model
    if isinstance(wrapped, FullyShardedDataParallel):
        with FullyShardedDataParallel.summon_full_params(wrapped):
            return {k: v.clone() for k, v in model.named_parameters()}
    return {k: v.detach() for k, v in model.named_parameters()}


def compare(folder: str) -> float:
    """Largest difference of any weight, of values up to 1."""
    one, two = (trained(name, folder) for name in STRATEGIES)
    if len(one) < 100 or one.keys() != two.keys():
        raise RuntimeError('the strategies have other weights')
    return max(
        float(((one[k] - two[k]).abs() / one[k].abs().clamp(min=1)).max())
        for k in one
    )


def main() -> None:
    if 'LOCAL_RANK' in os.environ:
        torch.set_num_threads(1)
        found = compare(sys.argv[1])
        if get_rank() == 0:
            print(f'FSDPStrategy and DDPStrategy, 2 processes: {found:.1e}')
        # Not by returning: gloo's tear-down sometimes never ends.
        sys.stdout.flush()
        os._exit(int(found > TOLERANCE))
    command = [sys.executable, '-m', 'torch.distributed.run']
    command += ['--nproc-per-node', '2', '--rdzv-backend', 'c10d']
    command += ['--rdzv-endpoint', 'localhost:0', '-m', __spec__.name]
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run([*command, folder], check=False, timeout=600)
    raise SystemExit(ended.returncode)


if __name__ == '__main__':
    main()
