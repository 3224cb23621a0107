"""Checkpoints that a kill, a full disk or a signal cannot take away."""

import copy
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

import mmengine.runner.runner as mmengine_runner
import torch
from mmengine.dist import (
    all_reduce,
    broadcast_object_list,
    is_distributed,
    is_main_process,
)
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import FlexibleRunner, Runner

from mmseg_plugin.engine.files import (
    PART,
    Disk,
    latest_whole,
    write_checkpoint,
    write_text,
)
from mmseg_plugin.registry import HOOKS

_LAST = 'last_checkpoint'


class _Later:
    """A file backend that records what to remove."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.removed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's hook, such that a whole checkpoint exists at any moment.

    A file is written beside, brought onto the disk and renamed; then
    ``last_checkpoint`` names it; only then older ones are removed. The best
    checkpoint is treated alike. On ``--resume`` files that are cut off or
    foreign are skipped, each with a sentence.

    Args:
        on_error: what follows when a checkpoint cannot be written:
            ``'stop'`` raises, ``'continue'`` warns. The last whole file
            stays in either case.
        asynchronous: copies the state and writes it in a thread; a save
            waits for the one before.
        signals: names of signals on which the run saves at the end of the
            iteration and exits.
        signal_interval: iterations after which several processes ask each
            other for signals, and stop together; the device is waited for
            each time. One process looks after every iteration.
        exit_code: then; 75 is the system's code for "try again".
        **kwargs: of ``CheckpointHook``; ``out_dir`` is a local folder.
    """

    last_ckpt: str | None
    file_backend: Any

    def __init__(
        self,
        *args: Any,
        on_error: str = 'stop',
        asynchronous: bool = False,
        signals: tuple[str, ...] = ('SIGTERM', 'SIGUSR1'),
        signal_interval: int = 10,
        exit_code: int = 75,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if on_error not in ('stop', 'continue'):
            raise ValueError(
                f"on_error is 'stop' or 'continue', not {on_error!r}"
            )
        self.on_error = on_error
        self.asynchronous = asynchronous
        self.signals = [signal.Signals[name] for name in signals]
        self.signal_interval = signal_interval
        self.exit_code = exit_code
        self._received: int | None = None
        self._handlers: dict[int, Any] = {}
        self._thread: Thread | None = None
        self._failure: OSError | None = None

    # ---- resuming ----

    def before_run(self, runner: Runner) -> None:
        """Chooses the file to resume from, before MMEngine looks for it.

        Raises:
            ValueError: there are checkpoints and none is whole; the runner
                writes files in another way.
        """
        if isinstance(runner, FlexibleRunner):
            raise ValueError(
                'SafeCheckpointHook writes the files of Runner; strategies '
                'of FlexibleRunner write their own: use CheckpointHook there'
            )
        if not runner._resume or runner._load_from is not None:
            return
        found: list = [None]
        if is_main_process():
            found = [self._find(runner)]
        broadcast_object_list(found)
        path, skipped = found[0]
        for sentence in skipped:
            runner.logger.warning(sentence)
        if path is not None:
            runner.logger.info(f'Resuming from {path}, the latest whole file')
            runner._load_from = path
        elif skipped:
            raise ValueError(
                f'no checkpoint in {self._folder(runner)} is whole: '
                f'{"; ".join(skipped)}; give one as load_from, or remove '
                f'{Path(runner.work_dir) / _LAST} and them to start over'
            )

    def _find(self, runner: Runner) -> tuple[str | None, list[str]]:
        record = Path(runner.work_dir) / _LAST
        pattern = self.filename_tmpl.format('*')
        others = list(self._folder(runner).glob(pattern))
        recorded = record.is_file()
        text = record.read_text(errors='replace').strip() if recorded else ''
        # A folder that was copied or moved goes on from its own files.
        own = (path for path in others if path.name == Path(text).name)
        named = next(own, Path(text)) if text else None
        path, skipped = latest_whole(named, others)
        if recorded and not text:
            skipped.insert(0, f'{record} is empty')
        return (str(path) if path else None), skipped

    def _folder(self, runner: Runner) -> Path:
        if self.out_dir in (None, runner.work_dir):
            return Path(runner.work_dir)
        return Path(self.out_dir) / Path(runner.work_dir).name

    # ---- a run ----

    def before_train(self, runner: Runner) -> None:
        # MMEngine removes files here before a new one is written.
        hub = runner.message_hub
        kept = hub.runtime_info.get('keep_ckpt_ids', [])
        if self.max_keep_ckpts > 0 and len(kept) > self.max_keep_ckpts:
            hub.update_info('keep_ckpt_ids', kept[-self.max_keep_ckpts :])
        super().before_train(runner)
        if not isinstance(self.file_backend, LocalBackend):
            raise ValueError(
                f'SafeCheckpointHook writes to local folders, not to '
                f'{self.out_dir}; use CheckpointHook there'
            )
        if is_main_process():
            for part in Path(self.out_dir).glob(f'*{PART}'):
                part.unlink(missing_ok=True)
        if current_thread() is main_thread():
            for number in self.signals:
                old = signal.signal(number, self._receive)
                self._handlers[number] = old

    def _receive(self, number: int, frame: object) -> None:
        self._received = number

    def after_train_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        super().after_train_iter(runner, *args, **kw)
        if not self._stop_now(runner):
            return
        runner.logger.warning(
            f'Received a signal: saving at iteration {runner.iter + 1}'
        )
        step: Any = runner.iter + 1
        if self.by_epoch:
            step = f'{runner.epoch}_iter_{step}'
        meta = {'epoch': runner.epoch, 'iter': runner.iter + 1}
        self._save_checkpoint_with_step(runner, step, meta)
        self._finish(runner)
        raise SystemExit(self.exit_code)

    def _stop_now(self, runner: Runner) -> bool:
        """Whether any process has received a signal."""
        seen = self._received is not None
        if self.signals and is_distributed():
            if not self.every_n_train_iters(runner, self.signal_interval):
                return False
            flag = torch.tensor(int(seen))
            all_reduce(flag, 'max')
            seen = bool(flag)
        return seen

    def after_train(self, runner: Runner) -> None:
        self._finish(runner)
        super().after_train(runner)

    def _finish(self, runner: Runner) -> None:
        """Waits for the thread; gives the signals back."""
        self._join(runner)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    # ---- saving ----

    def _save_checkpoint_with_step(
        self, runner: Runner, step: Any, meta: dict
    ) -> None:
        hub = runner.message_hub
        before = hub.runtime_info.get('keep_ckpt_ids'), self.last_ckpt
        kept = list(getattr(self, 'keep_ckpt_ids', ()))
        if not kept or kept[-1] != step:
            kept.append(step)
        limit = self.max_keep_ckpts
        old = kept[:-limit] if limit > 0 else []
        kept = kept[len(old) :]
        path = Path(self.out_dir) / self.filename_tmpl.format(step)
        if limit > 0:
            hub.update_info('keep_ckpt_ids', kept)
        hub.update_info('last_ckpt', str(path))
        self.last_ckpt = str(path)

        def then() -> None:
            write_text(str(path), Path(runner.work_dir) / _LAST)
            for number in old:
                name = self.filename_tmpl.format(number)
                _remove(Path(self.out_dir) / name)

        with self._safely(runner, then) as saved:
            runner.save_checkpoint(
                self.out_dir,
                path.name,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                **self.args,
            )
        if saved[0]:
            if limit > 0:
                self.keep_ckpt_ids = deque(kept, limit)
        else:
            if limit > 0:
                hub.update_info('keep_ckpt_ids', before[0] or [])
            hub.update_info('last_ckpt', before[1])
            self.last_ckpt = before[1]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not hasattr(self, 'file_backend'):
            # `Runner.val()` alone: there is nothing to choose from.
            return
        backend = self.file_backend
        later = _Later(backend)
        self.file_backend = later
        before = self._best(runner)

        def then() -> None:
            for path in later.removed:
                _remove(Path(path))
            later.removed.clear()

        try:
            with self._safely(runner, then):
                super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
            if not self.asynchronous:
                self._forget_failed_best(runner, before)

    def _best(self, runner: Runner) -> tuple[dict, dict]:
        """What the hook and the message hub know of the best."""
        own = {k: v for k, v in vars(self).items() if k.startswith('best_')}
        info = runner.message_hub.runtime_info
        told = {k: v for k, v in info.items() if k.startswith('best_')}
        return copy.deepcopy(own), dict(told)

    def _forget_failed_best(
        self, runner: Runner, before: tuple[dict, dict]
    ) -> None:
        """Goes back to the best before, if a new one is not there."""
        paths = [getattr(self, 'best_ckpt_path', None)]
        paths += getattr(self, 'best_ckpt_path_dict', {}).values()
        if not is_main_process() or all(Path(p).exists() for p in paths if p):
            return
        own, told = before
        for name, value in own.items():
            setattr(self, name, value)
        info = runner.message_hub.runtime_info
        for name in [name for name in info if name.startswith('best_')]:
            del info[name]
        info.update(told)

    @contextmanager
    def _safely(
        self, runner: Runner, then: Callable[[], None]
    ) -> Iterator[list[bool]]:
        """Inside, the runner's checkpoints are written whole.

        Args:
            runner: of the training.
            then: called when a file is whole.

        Yields:
            One flag: nothing has failed.
        """
        saved = [True]

        def save(checkpoint: dict, filename: str, **kwargs: Any) -> None:
            saved[0] = self._write(runner, checkpoint, filename, then)

        theirs = mmengine_runner.save_checkpoint
        mmengine_runner.save_checkpoint = save
        try:
            yield saved
        finally:
            mmengine_runner.save_checkpoint = theirs

    def _write(
        self,
        runner: Runner,
        checkpoint: dict,
        filename: str,
        then: Callable[[], None],
    ) -> bool:
        self._join(runner)

        def work() -> None:
            try:
                write_checkpoint(checkpoint, Path(filename))
                then()
            except OSError as error:
                self._failure = error

        if self.asynchronous:
            # The training goes on changing what the state refers to.
            checkpoint = copy.deepcopy(checkpoint)
            self._thread = Thread(target=work)
            self._thread.start()
            return True
        work()
        return self._report(runner, filename)

    def _join(self, runner: Runner) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._report(runner, str(self.last_ckpt))

    def _report(self, runner: Runner, filename: str) -> bool:
        """Whether the last file is whole; raises if errors stop the run."""
        failure, self._failure = self._failure, None
        if failure is None:
            return True
        record = Path(runner.work_dir) / _LAST
        whole = record.read_text() if record.is_file() else 'none'
        sentence = (
            f'checkpoint {filename} could not be written '
            f'({failure.strerror or failure}); the last whole one is {whole}'
        )
        if self.on_error == 'stop':
            raise OSError(failure.errno, sentence) from None
        runner.logger.warning(f'{sentence}; training goes on')
        return False


def _remove(path: Path) -> None:
    """Removes a file that may be gone."""
    if path.exists():
        Disk.remove(path)
