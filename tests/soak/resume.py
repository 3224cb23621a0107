"""Trains shipped models whole and in two lives, and compares them.

``--iters 2k``: a run of 2k steps; beside it one that is killed (SIGKILL)
after k steps and a save, and resumed. Every logged loss and every weight,
those of the EMA included, must agree.
"""

import argparse
import contextlib
import copy
import logging
import os
import pickle
import shutil
import signal
import tempfile
from pathlib import Path

import mmengine.runner.runner as mmengine_runner
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.datasets.scenes import SceneOptions, write_scenes

# Name of each run to its config and whether it keeps an EMA.
RUNS = {
    'mask2former': ('mask2former_tiny_demo_scenes-panoptic', False),
    'mask_dino_ema': ('maskdino_tiny_demo_scenes', True),
    'panoptic_fcn_ibs': ('panoptic-fcn-ibs_tiny_dense-scenes-512x512', False),
    'efpn_extension': ('mask-rcnn_tiny_efpn_extension_demo_scenes', False),
    'efpn_head': ('mask-rcnn_tiny_efpn_head_demo_scenes', False),
    'mask_rcnn': ('mask-rcnn_tiny_fpn_demo_scenes', False),
}

# It asks the compilers of the machine for their versions.
mmengine_runner.collect_env = dict


class Record(Hook):
    """Keeps the losses; ends the process after an iteration."""

    priority = 'LOWEST'

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.losses: list[dict[str, float]] = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.losses.append({k: float(v.detach()) for k, v in outputs.items()})
        if self.last is not None and runner.iter + 1 == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def config_of(name: str, data: Path, iters: int, workers: int) -> Config:
    """A shipped config, cut down to a few iterations on a few scenes."""
    for variable in ('SCENES_ROOT', 'DENSE_SCENES_ROOT'):
        os.environ[variable] = f'{data}/'
    source, with_ema = RUNS[name]
    config = read_model_config(source)
    for loader in ('val_dataloader', 'test_dataloader'):
        for part in (loader, loader.replace('dataloader', 'evaluator')):
            config[part] = None
        config[loader.replace('dataloader', 'cfg')] = None
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': iters}
    loader = config.train_dataloader
    loader.num_workers = workers
    loader.persistent_workers = workers > 0
    config.param_scheduler = [
        {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'end': 9}
    ]
    config.custom_hooks = [{'type': 'mmseg_plugin.ExactResumeHook'}]
    if with_ema:
        config.custom_hooks.append({'type': 'EMAHook', 'momentum': 0.1})
    config.default_hooks = {
        'checkpoint': {
            'type': 'mmseg_plugin.SafeCheckpointHook',
            'interval': 1,
            'by_epoch': False,
            'max_keep_ckpts': 1,
        }
    }
    config.load_from = None
    config.visualizer = None
    config.log_processor = {'by_epoch': False}
    config.randomness = {'seed': 5}
    return config


def live(
    config: Config, folder: Path, kill_after: int | None, report: Path
) -> int:
    """One life in a process of its own; how it ended (``os.waitpid``)."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        # Workers of a killed run may wait for it forever.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        return status
    os.setsid()
    code = 1
    try:
        config = copy.deepcopy(config)
        config.work_dir = str(folder)
        config.resume = folder.exists()
        config.experiment_name = report.stem
        record = Record(kill_after)
        runner = Runner.from_cfg(config)
        runner.register_hook(record)
        runner.train()
        weights = dict(runner.model.state_dict())
        for hook in runner.hooks:
            if hasattr(hook, 'ema_model'):
                ema = hook.ema_model.state_dict()
                weights |= {f'ema.{k}': v for k, v in ema.items()}
        report.write_bytes(
            pickle.dumps(
                (record.losses, {k: v.numpy() for k, v in weights.items()})
            )
        )
        code = 0
    except BaseException:
        logging.exception('a life ended with an error')
    finally:
        os._exit(code)


def difference(whole: tuple, resumed: tuple) -> float:
    """Largest difference of any loss and weight, of values up to 1."""
    losses, weights = whole
    late, others = resumed
    pairs = [
        (torch.tensor(value), torch.tensor(other[key]))
        for one, other in zip(losses[-len(late) :], late, strict=True)
        for key, value in one.items()
    ]
    if weights.keys() != others.keys():
        raise RuntimeError('the two runs have other weights')
    pairs += [
        (torch.as_tensor(weights[key]), torch.as_tensor(others[key]))
        for key in weights
    ]
    return max(
        float(((a - b).abs() / a.abs().clamp(min=1)).max())
        for a, b in pairs
        if a.is_floating_point() and a.numel()
    )


def compare(name: str, iters: int, workers: int, folder: Path) -> float:
    """Difference between a whole run and a resumed one.

    Args:
        name: of :data:`RUNS`.
        iters: steps of the whole run; the kill comes after half of them.
        workers: of the data loader after the kill; none before.
        folder: gets scenes and runs.

    Raises:
        RuntimeError: a life did not end as it should.
    """
    data = folder / 'scenes'
    if not data.exists():
        options = SceneOptions(size=(96, 128))
        write_scenes(data, {'train': 12, 'val': 2}, 0, options)
    before = config_of(name, data, iters, 0)
    after = config_of(name, data, iters, workers)
    ends = [folder / f'{name}_{part}' for part in ('whole', 'resumed')]
    one, two = (end.with_suffix('.pickle') for end in ends)
    statuses = [
        live(before, ends[0], None, one),
        live(before, ends[1], iters // 2, two),
        live(after, ends[1], None, two),
    ]
    if statuses != [0, signal.SIGKILL, 0]:
        raise RuntimeError(f'{name}: lives ended with {statuses}')
    whole, resumed = (pickle.loads(path.read_bytes()) for path in (one, two))
    if len(resumed[0]) != iters - iters // 2:
        raise RuntimeError(f'{name}: {len(resumed[0])} steps after the kill')
    return difference(whole, resumed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', default=list(RUNS))
    parser.add_argument('--iters', type=int, default=6)
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    worst = 0.0
    for name in args.names:
        for workers in args.workers:
            folder = Path(tempfile.mkdtemp())
            found = compare(name, args.iters, workers, folder)
            worst = max(worst, found)
            print(f'{name}, {workers} workers: {found:.1e}', flush=True)
            shutil.rmtree(folder)
    if worst > 1e-6:
        raise SystemExit(f'resumed runs differ by {worst:.1e}')


if __name__ == '__main__':
    main()
