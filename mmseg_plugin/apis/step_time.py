"""How long a step of training takes here, and how much memory: measured."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

import mmseg_plugin.registry  # noqa: F401  (before mmdet, which it calms)

if TYPE_CHECKING:
    from mmengine.config import Config

STEPS = 3
# Share of a GPU's memory that a batch may take: images differ.
MEMORY_SHARE = 0.8


@dataclass(frozen=True)
class StepTime:
    """Wall times in seconds, on this machine as it is now.

    Attributes:
        step: of one step of training; with workers, data is loaded during
            the step before.
        test: of one image that is evaluated.
        memory: most bytes of the GPU; 0 without one.
    """

    step: float
    test: float
    memory: int = 0

    def hours(self, steps: int, tested: int) -> float:
        return (steps * self.step + tested * self.test) / 3600


def measure_step(config: Config, batch: int, steps: int = STEPS) -> StepTime:
    """Trains and tests a few batches, and throws the model away.

    Args:
        config: its work_dir and workers are not used.
        batch: images a step.
        steps: of training, after one that is not counted.

    Raises:
        torch.OutOfMemoryError: the batch does not fit the GPU.
    """
    config = config.copy()
    with TemporaryDirectory() as folder, _quiet():
        config.work_dir = folder
        workers = config.train_dataloader.num_workers
        for name in ('train', 'val'):
            config[f'{name}_dataloader'].update(
                num_workers=0, persistent_workers=False
            )
        config.train_dataloader.batch_size = batch
        # Weights of a backbone take as long as random ones.
        config.model.backbone.init_cfg = None
        config.load_from = None
        # A visualiser is kept by its name: the run would log into this one.
        config.visualizer = None
        config.experiment_name = Path(folder).name
        return _measure(Runner.from_cfg(config), steps, workers)


def _measure(runner: Runner, steps: int, workers: int) -> StepTime:
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    loader = runner.build_dataloader(runner._train_dataloader)
    model = runner.model
    model.train()

    def step(data: Any) -> float:
        start = time.perf_counter()
        model.train_step(data, optim_wrapper=wrapper)
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    loading, spent = [], []
    batches = _endless(loader)
    for number in range(steps + 1):
        start = time.perf_counter()
        data = next(batches)
        loaded = time.perf_counter() - start
        taken = step(data)
        if number:
            loading.append(loaded)
            spent.append(taken)
    workers = max(1, workers)
    mean = sum(spent) / steps
    each = max(mean, sum(loading) / steps / workers) if cuda else mean
    memory = torch.cuda.max_memory_allocated() if cuda else 0
    return StepTime(each, _test_time(runner), memory)


def _test_time(runner: Runner) -> float:
    loader = runner.build_dataloader(runner._val_dataloader)
    model = runner.model
    model.eval()
    data = next(iter(loader))
    start = time.perf_counter()
    with torch.no_grad():
        model.test_step(data)
    return time.perf_counter() - start


def _endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leaves no logger, scope or seed behind."""
    level = logging.root.manager.disable
    known = set(MMLogger._instance_dict)
    logging.disable(logging.WARNING)
    state = torch.get_rng_state()
    try:
        yield
    finally:
        logging.disable(level)
        torch.set_rng_state(state)
        DefaultScope._instance_dict.clear()
        for name in set(MMLogger._instance_dict) - known:
            del MMLogger._instance_dict[name]


def fitting_batch(config: Config, usual: int, images: int) -> tuple[int, str]:
    """The largest power of two that a GPU trains, and why.

    Args:
        config: of the training.
        usual: where there is no GPU.
        images: no batch is larger.
    """
    if not torch.cuda.is_available():
        return min(usual, images), 'there is no GPU to fill'
    total = torch.cuda.get_device_properties(0).total_memory
    fits, said = 1, ''
    batch = 1
    while batch <= images:
        try:
            taken = measure_step(config, batch, 1).memory
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            break
        if taken > MEMORY_SHARE * total:
            break
        fits, batch = batch, 2 * batch
        said = f'it takes {taken / 2**30:.1f} of {total / 2**30:.0f} GiB'
    return fits, said or 'no larger one fits the GPU'
