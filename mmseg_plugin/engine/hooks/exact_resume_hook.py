"""Runs that go on as if they had not been interrupted."""

from typing import Any

from mmengine.dataset import DefaultSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmseg_plugin.engine.placed_data import PlacedLoader, seed_all
from mmseg_plugin.registry import HOOKS


class _Endless:
    """The iterator of MMEngine's loop over iterations.

    The loop asks for the batches of the past first; they cost nothing here.
    """

    def __init__(self, loader: PlacedLoader, past: int) -> None:
        self.loader = loader
        self.past = past
        self.iterator: Any = None
        self.epoch = 0
        batches: Any = loader.batch_sampler
        self.sampler = batches.sampler
        if isinstance(self.sampler.inner, DefaultSampler) and len(loader):
            self.epoch, past = divmod(past, len(loader))
        loader.start_at(past)

    def __iter__(self) -> '_Endless':
        return self

    def skip_iter(self, count: int) -> None:
        """What newer MMEngine calls for the batches of the past."""
        self.past = 0

    def __next__(self) -> Any:
        if self.past:
            self.past -= 1
            return None
        if self.iterator is None:
            self.iterator = self._round()
        try:
            return next(self.iterator)
        except StopIteration:
            self.epoch += 1
            self.iterator = self._round()
            return next(self.iterator)

    def _round(self) -> Any:
        # Only now: at the start MMEngine's DistSamplerSeedHook says 0.
        self.sampler.set_epoch(self.epoch)
        return iter(self.loader)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a run depend on its seed and position alone.

    Every iteration seeds the generators of Python, NumPy, torch and its
    devices from seed, rank and iteration; every item of the data seeds them
    from seed and position. So there is no random state to save: a run that
    was killed and resumed has the losses and weights of one that was not,
    with any number of workers. Resuming reads no data that was used before,
    and a run over epochs goes on within one.

    With another number of processes a run goes on as well, with other
    batches: over iterations from the same place of the data, over epochs
    from the start of the epoch.

    MMEngine's ``InfiniteSampler`` and ``DefaultSampler`` are exact. With
    another one that is used up in a run over iterations, resuming starts it
    anew.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        loop = runner.train_loop
        loader = PlacedLoader(loop.dataloader, runner.seed)
        loop.dataloader = loader
        if isinstance(loop, EpochBasedTrainLoop):
            start = loop.iter - loop.epoch * len(loader)
            # Other numbers of processes have epochs of other lengths.
            loader.start_at(start if 0 <= start <= len(loader) else 0)
        else:
            loop.dataloader_iterator = _Endless(loader, loop.iter)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        seed_all(runner.seed, get_rank(), runner.iter)
