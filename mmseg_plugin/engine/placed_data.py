"""Training data whose order and randomness follow from seed and position."""

import copy
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_dist_info
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler


def seed_all(*numbers: int) -> None:
    """Seeds Python, NumPy, torch and its devices from some numbers."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    seed = int(state[0] >> 1)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class Place(int):
    """An index of a data set that knows its position in the run."""

    position: int

    def __new__(cls, index: int, position: int) -> 'Place':
        place = super().__new__(cls, index)
        place.position = position
        return place

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        return Place, (int(self), self.position)


class SeededDataset(Dataset):
    """Each item draws from generators of its own position alone.

    Args:
        dataset: what is read; its attributes are those of this one.
        seed: of the run.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def __getattr__(self, name: str) -> Any:
        if name in ('dataset', 'seed'):
            # Not there yet: while it is unpickled.
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: Place) -> Any:
        # In the main process the model's generators are the same ones.
        python, numpy = random.getstate(), np.random.get_state()
        tensors = torch.get_rng_state()
        state = np.random.SeedSequence((self.seed, place.position))
        number = int(state.generate_state(1)[0])
        try:
            random.seed(number)
            np.random.seed(number)
            torch.default_generator.manual_seed(number)
            return self.dataset[int(place)]
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_rng_state(tensors)


class PlacedSampler(Sampler):
    """The order of another sampler, from any position at once.

    Args:
        inner: MMEngine's samplers, or any other that restarts each epoch.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.start = 0
        self.rank, self.world_size = get_dist_info()

    def __getattr__(self, name: str) -> Any:
        if name == 'inner':
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)

    def set_epoch(self, epoch: int) -> None:
        """As of the inner sampler, if it has that."""
        self.epoch = epoch
        if hasattr(self.inner, 'set_epoch'):
            self.inner.set_epoch(epoch)

    def __iter__(self) -> Iterator[Place]:
        start, self.start = self.start, 0
        if isinstance(self.inner, InfiniteSampler):
            yield from self._endless(start)
            return
        before = vars(self).get('epoch', 0) * len(self.inner)
        indices = enumerate(islice(self.inner, start, None), before + start)
        for position, index in indices:
            place = position * self.world_size + self.rank
            yield Place(index, place)

    def _endless(self, start: int) -> Iterator[Place]:
        """MMEngine's order, without the permutations that are skipped."""
        sampler = self.inner
        generator = torch.Generator().manual_seed(sampler.seed)
        position = start * self.world_size + self.rank
        drawn = -1
        while True:
            epoch, offset = divmod(position, sampler.size)
            if not sampler.shuffle:
                yield Place(offset, position)
            else:
                while drawn < epoch:
                    order = torch.randperm(sampler.size, generator=generator)
                    drawn += 1
                    if drawn == epoch:
                        indices = order.tolist()
                yield Place(indices[offset], position)
            position += self.world_size


class _BatchesFrom:
    """A batch sampler of any kind that can start late, without data."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        self.start = 0

    def __getattr__(self, name: str) -> Any:
        if name == 'batches':
            raise AttributeError(name)
        return getattr(self.batches, name)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Place]]:
        start, self.start = self.start, 0
        yield from islice(self.batches, start, None)


class PlacedLoader(DataLoader):
    """The batches of another loader, reproducible from any one of them.

    Args:
        loader: with a sampler, or a batch sampler around one.
        seed: of the run.
    """

    def __init__(self, loader: DataLoader, seed: int) -> None:
        batches: Any = loader.batch_sampler
        how: dict[str, Any]
        if type(batches) is BatchSampler:
            how = {
                'sampler': PlacedSampler(loader.sampler),
                'batch_size': loader.batch_size,
                'drop_last': loader.drop_last,
            }
        else:
            own = copy.copy(batches)
            own.sampler = PlacedSampler(own.sampler)
            how = {'batch_sampler': _BatchesFrom(own)}
        super().__init__(
            SeededDataset(loader.dataset, seed),
            **how,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            prefetch_factor=loader.prefetch_factor,
            persistent_workers=loader.persistent_workers,
        )

    def start_at(self, batch: int) -> None:
        """The next iterator leaves out so many batches."""
        batches: Any = self.batch_sampler
        if self.batch_size is None:
            batches.start = batch
        else:
            batches.sampler.start = batch * self.batch_size
