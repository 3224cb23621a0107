"""A progress bar, where somebody looks at a terminal."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mmseg_plugin.registry import HOOKS


class _AboveBar:
    """A stream whose text goes above the bar."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        tqdm.write(text, file=self.stream, end='')

    def flush(self) -> None:
        self.stream.flush()


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows iterations of training and of each evaluation as a bar.

    Does nothing unless standard output is a terminal: a file of it holds
    plain lines.
    """

    def __init__(self) -> None:
        self._bars: dict[str, tqdm] = {}
        self._streams: list[tuple[logging.StreamHandler, Any]] = []

    def _open(self, name: str, runner: Runner, total: int, done: int) -> None:
        if not is_main_process() or not sys.stdout.isatty():
            return
        if not self._bars:
            for handler in runner.logger.handlers:
                if getattr(handler, 'stream', None) is sys.stdout:
                    self._streams.append((handler, handler.stream))
                    handler.setStream(_AboveBar(handler.stream))
        self._bars[name] = tqdm(
            total=total,
            initial=done,
            desc=name,
            file=sys.stdout,
            leave=False,
            dynamic_ncols=True,
        )

    def _step(self, name: str) -> None:
        if bar := self._bars.get(name):
            bar.update()

    def _close(self, name: str) -> None:
        if bar := self._bars.pop(name, None):
            bar.close()
        if not self._bars:
            for handler, stream in self._streams:
                handler.setStream(stream)
            self._streams = []

    def before_train(self, runner: Runner) -> None:
        self._open('train', runner, runner.max_iters, runner.iter)

    def after_train_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        self._step('train')

    def after_train(self, runner: Runner) -> None:
        self._close('train')

    def before_val_epoch(self, runner: Runner) -> None:
        self._open('val', runner, len(runner.val_dataloader), 0)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        self._step('val')

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        self._close('val')
