"""A test that several processes share and that goes on after a kill."""

import hashlib
import json
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, get_dist_info
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner, TestLoop
from torch.utils.data import Sampler

from mmseg_plugin.engine.files import write_text
from mmseg_plugin.engine.kept_results import KeptTensors, meet
from mmseg_plugin.registry import LOOPS


@LOOPS.register_module()
class ResumableTestLoop(TestLoop):
    """MMEngine's, that keeps what the metrics hold of each image in files.

    The same test, killed and started again, goes on with the images that
    are left, whatever the number of processes, and gives the scores of one
    that was left alone. All of a metric's results have to be in its list
    ``results``, one an image.

    Args:
        *args: of ``TestLoop``.
        out: new folder, gets ``metrics.json``; called ``OUT.part`` until
            all images are done.
        **kwargs: of ``TestLoop``.

    Raises:
        ValueError: ``out`` is there, or ``OUT.part`` holds results of
            something else, or a metric keeps results in another place.
    """

    def __init__(self, *args: Any, out: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder = Path(out)
        if folder.is_file() or (folder.exists() and any(folder.iterdir())):
            raise ValueError(f'{folder} exists and is not an empty folder')
        for metric in self.evaluator.metrics:
            if getattr(metric, 'tmp_dir', None) is not None:
                raise ValueError(
                    f'{type(metric).__name__} keeps results in a temporary '
                    'folder, which is lost: give it an outfile_prefix'
                )
        rank, count = get_dist_info()
        size = len(self.dataloader.dataset)
        kept = KeptTensors(folder, self._asked(size), rank)
        left = [[i for i in range(size) if not kept.has(str(i))]]
        # Seen by one process, as another may be ahead already.
        broadcast_object_list(left)
        if len(left[0]) < size:
            self.runner.logger.info(
                f'{kept.folder}: {len(left[0])} of {size} images left to do'
            )
        share = left[0][rank::count]
        # Metrics prepare themselves with the first image they see.
        places = share or [0]
        self.dataloader.batch_sampler.sampler = _Places(places)
        self.evaluator: Any = _KeepingEvaluator(
            self.evaluator, kept, places, set(share)
        )

    def _asked(self, size: int) -> dict:
        """What the results depend on."""
        config = self.runner.cfg
        parts = [
            config.get('model'),
            config.get('test_evaluator'),
            (config.get('test_dataloader') or {}).get('dataset'),
        ]
        text = json.dumps(parts, default=str, sort_keys=True)
        data = self.dataloader.dataset
        return {
            'images': size,
            'config': hashlib.sha256(text.encode()).hexdigest()[:12],
            'checkpoint': _state(self.runner._load_from),
            'annotations': _state(getattr(data, 'ann_file', None)),
        }


def _state(name: Any) -> str:
    """A file and when it was written."""
    path = Path(str(name))
    when = f' of {path.stat().st_mtime_ns}' if path.is_file() else ''
    return f'{name}{when}'


class _Places(Sampler):
    """Given places of a data set, in this order."""

    def __init__(self, places: Sequence[int]) -> None:
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)


class _KeepingEvaluator:
    """An evaluator whose metrics' results go to files, image by image.

    Args:
        inner: of the loop.
        kept: the files.
        places: of the images in the data set, as they will come.
        own: those that this process keeps.
    """

    def __init__(
        self,
        inner: Evaluator,
        kept: KeptTensors,
        places: Sequence[int],
        own: set[int],
    ) -> None:
        self.inner = inner
        self._kept = kept
        self._places = iter(places)
        self._own = own
        self._sure = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def process(self, data_samples: Sequence, data_batch: Any = None) -> None:
        """As the inner one; keeps what the metrics have found."""
        self.inner.process(data_samples=data_samples, data_batch=data_batch)
        found = []
        for metric in self.inner.metrics:
            if len(metric.results) != len(data_samples):
                raise ValueError(
                    f'{type(metric).__name__} keeps {len(metric.results)} '
                    f'results of {len(data_samples)} images; test without '
                    '--results'
                )
            found.append([_plain(result) for result in metric.results])
            metric.results.clear()
        for entries in zip(*found, strict=True):
            place = next(self._places)
            if place in self._own:
                self._keep(str(place), list(entries))

    def _keep(self, name: str, entries: list) -> None:
        self._kept.keep(name, entries)
        if self._sure:
            return
        # Before all the others are computed.
        try:
            list(self._kept.records([name]))
        except pickle.UnpicklingError as error:
            names = {type(metric).__name__ for metric in self.inner.metrics}
            raise ValueError(
                f'{" or ".join(sorted(names))} keeps more than numbers, words '
                f'and arrays ({error}); test without --results'
            ) from None
        self._sure = True

    def evaluate(self, size: int) -> dict:
        """Scores of all images, of every process."""
        meet()
        rank, count = get_dist_info()
        # As MMEngine's sampler shares them: the same number for each.
        total = -(-size // count) * count
        names = [str(i % size) for i in range(rank, total, count)]
        for entries in self._kept.records(names):
            if len(entries) != len(self.inner.metrics):
                raise ValueError(
                    f'{self._kept.folder} was begun with other metrics, or '
                    'without --out: remove it, or name another folder'
                )
            for metric, entry in zip(self.inner.metrics, entries, strict=True):
                metric.results.append(entry)
        scores = self.inner.evaluate(size)
        meet()
        if rank == 0:
            text = json.dumps(scores, default=float, indent=1)
            write_text(text, self._kept.folder / 'metrics.json')
            self._kept.finish()
        return scores


def _plain(result: Any) -> Any:
    """A result, with what another process computes for it."""
    if isinstance(result, tuple):
        return tuple(_plain(part) for part in result)
    return result.result() if isinstance(result, Future) else result


@contextmanager
def results_kept_in(out: str) -> Iterator[None]:
    """Inside, runners test by :class:`ResumableTestLoop`.

    Args:
        out: of the loop.

    Raises:
        ValueError: inside; the config names another loop.
    """
    build = Runner.build_test_loop

    def resumable(self: Runner, loop: Any) -> Any:
        if not isinstance(loop, dict):
            # It is built already.
            return build(self, loop)
        kind = loop.get('type', 'TestLoop')
        if kind not in ('TestLoop', TestLoop):
            raise ValueError(
                f'test_cfg.type is {kind}, which keeps no results: test '
                'without --results'
            )
        own = f'mmseg_plugin.{ResumableTestLoop.__name__}'
        return build(self, {**loop, 'type': own, 'out': out})

    Runner.build_test_loop = resumable  # type: ignore[method-assign]
    try:
        yield
    finally:
        Runner.build_test_loop = build  # type: ignore[method-assign]
