"""Images that cannot be read are left out of the training, and counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmcv
import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator

from mmseg_plugin.registry import HOOKS

_COUNT = 'bad_images'


@HOOKS.register_module()
class SkipBadImagesHook(Hook):
    """A file that is no image does not end the training.

    Where a pipeline fails, and the sample's image file alone cannot be
    decoded either, the data set gives another image of its own instead, so
    that batches keep their size on every process. Names and reasons are
    logged and kept in ``bad_images/rank_N.txt`` of the work_dir,
    ``bad_images`` of the message hub counts them. Any other error ends the
    training as it did.

    Args:
        max_rate: of the images that were loaded; above it the training ends,
            on all processes after the same iteration.
        interval: iterations after which the processes count together.

    Raises:
        SystemExit: more images are bad, with a sentence.
        ValueError: ``max_rate`` is not within 0 and 1.
    """

    def __init__(self, max_rate: float = 0.01, interval: int = 50) -> None:
        if not 0 <= max_rate <= 1:
            raise ValueError(f'max_rate is within 0 and 1, not {max_rate}')
        self.max_rate = max_rate
        self.interval = interval
        self._record = Path()
        self._told = 0
        self._open: Any = None

    def before_train(self, runner: Runner) -> None:
        self._record = (
            Path(runner.work_dir) / _COUNT / f'rank_{get_rank()}.txt'
        )
        self._record.parent.mkdir(parents=True, exist_ok=True)
        # What an earlier start of the run has found was told then.
        self._told = len(self._lines())
        for dataset in _with_pipelines(runner.train_dataloader.dataset):
            inner = dataset.pipeline
            if isinstance(inner, _Skipping):
                # Of an earlier run in this process.
                inner = inner.pipeline
            dataset.pipeline = _Skipping(inner, self._record)
        self._open = _restart_workers(runner.train_loop)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        if not self.every_n_train_iters(runner, self.interval):
            return
        new = self._lines()[self._told :]
        self._told += len(new)
        for line in new:
            runner.logger.warning(f'left out, as it cannot be read: {line}')
        count = torch.tensor(len(new))
        all_reduce(count)
        total = runner.message_hub.runtime_info.get(_COUNT, 0) + int(count)
        runner.message_hub.update_info(_COUNT, total)
        loader = runner.train_dataloader
        batch = loader.batch_size or loader.batch_sampler.batch_size
        # Both are of the whole run, resumed or not.
        loaded = (runner.iter + 1) * batch * get_world_size()
        if total > self.max_rate * loaded:
            raise SystemExit(
                f'error: {total} of about {loaded} images could not be read, '
                f'more than max_rate={self.max_rate} of SkipBadImagesHook '
                f'allows; their names are in {self._record.parent}'
            )

    def _lines(self) -> list[str]:
        if not self._record.exists():
            return []
        return self._record.read_text().splitlines()


class _Skipping:
    """A pipeline that gives None for an image that cannot be decoded.

    Args:
        pipeline: of a data set, which takes another sample for None.
        record: gets a line for each; workers append to it.
    """

    def __init__(self, pipeline: Any, record: Path) -> None:
        self.pipeline = pipeline
        self.record = record

    def __getattr__(self, name: str) -> Any:
        # Copies that workers make have nothing in them yet.
        if name == 'pipeline':
            raise AttributeError(name)
        return getattr(self.pipeline, name)

    def __call__(self, results: dict) -> Any:
        path = results.get('img_path')
        try:
            return self.pipeline(results)
        except Exception as error:
            if not isinstance(path, str) or is_image(path):
                raise
            reason = ' '.join(f'{type(error).__name__}: {error}'.split())
            with self.record.open('a') as file:
                file.write(f'{path} ({reason})\n')
            return None


def is_image(path: str) -> bool:
    """Whether a file can be read and decoded."""
    try:
        return mmcv.imfrombytes(get(path), flag='unchanged') is not None
    except Exception:
        # Decoders fail in any way.
        return False


def _restart_workers(loop: Any) -> Any:
    """Workers of a run over iterations have the data set as it was built.

    Returns:
        What must be kept: MMEngine 0.10.7's ``InfiniteSampler`` is at its end
        when one who iterates over it is gone.
    """
    loader = loop.dataloader
    iterator: Any = getattr(loop, 'dataloader_iterator', None)
    if type(iterator) is not _InfiniteDataloaderIterator:
        return None
    # Newer MMEngine starts them with the first batch.
    if not loader.num_workers or iterator._iterator is None:
        return None
    kept = iterator._iterator._sampler_iter
    loader._iterator = None
    loop.dataloader_iterator = _InfiniteDataloaderIterator(loader)
    return kept


def _with_pipelines(dataset: Any) -> Iterator[Any]:
    """Data sets with a pipeline, inside those that wrap them."""
    if hasattr(dataset, 'pipeline'):
        yield dataset
    inner = getattr(dataset, 'datasets', None) or [
        getattr(dataset, 'dataset', None)
    ]
    for part in inner:
        if part is not None:
            yield from _with_pipelines(part)
