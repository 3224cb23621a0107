"""Lines about a run that a person can read."""

import logging
import resource
from datetime import timedelta
from numbers import Real
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import LogProcessor, Runner

from mmseg_plugin.engine.logs.loss_kinds import sum_losses
from mmseg_plugin.registry import LOG_PROCESSORS

# Hundreds of lines that the log file keeps, as this console does not.
_FILE_ONLY = (
    *('Exp name:', 'Config:', 'Hooks will be executed'),
    # MMEngine about itself, and about one process being one.
    *('"FileClient" will be', '"HardDiskBackend" is the alias'),
    'Distributed training is not used',
    *('The prefix is not set in metric class', 'Loads checkpoint by'),
)
_ENVIRONMENT = 'System environment:'
# More metrics than these are those of single classes.
_MOST_METRICS = 16


class ForPeople(logging.Filter):
    """Keeps what only a file is read for from the console."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return not (text.startswith(_FILE_ONLY) or _ENVIRONMENT in text)


def _calm_consoles() -> None:
    """Gives each later console of MMEngine the filter above."""
    made = MMLogger.__init__
    if getattr(made, 'calm', False):
        return

    def init(self: MMLogger, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        for handler in self.handlers:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(ForPeople())

    init.calm = True  # type: ignore[attr-defined]
    MMLogger.__init__ = init  # type: ignore[method-assign]


@LOG_PROCESSORS.register_module()
class LogLines(LogProcessor):
    """One line with one number for each kind of loss.

    ``scalars.json`` and other backends get every loss of every layer, as
    from MMEngine's processor, and the memory on a CPU too. The environment,
    the config and the list of hooks are written to the log file alone.

    Takes the arguments of MMEngine's ``LogProcessor``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A runner makes its logger right after its log processor.
        _calm_consoles()

    def get_log_after_iter(
        self, runner: Runner, batch_idx: int, mode: str
    ) -> tuple[dict, str]:
        """Values for the backends, and the line.

        Args:
            runner: of the run.
            batch_idx: number of the batch.
            mode: ``'train'``, ``'val'`` or ``'test'``.
        """
        values, _ = super().get_log_after_iter(runner, batch_idx, mode)
        if mode != 'train':
            size = self._get_dataloader_size(runner, mode)
            left = values.get('time', 0.0) * (size - batch_idx - 1)
            parts = [f'{mode} {batch_idx + 1}/{size}', f'eta {_clock(left)}']
            return values, '  '.join(parts)
        values.setdefault('memory', peak_memory())
        return values, self._training_line(runner, batch_idx, values)

    def _training_line(
        self, runner: Runner, batch_idx: int, values: dict
    ) -> str:
        parts = [f'iter {runner.iter + 1}/{runner.max_iters}']
        if self.by_epoch:
            parts.insert(0, f'epoch {runner.epoch + 1}/{runner.max_epochs}')
        eta = runner.message_hub.runtime_info.get('eta')
        if eta is not None:
            parts.append(f'eta {_clock(eta)}')
        parts.append(f'lr {values.get("lr", 0.0):.2e}')
        if 'time' in values:
            data = values.get('data_time', 0.0)
            parts.append(f'{values["time"]:.3f} s (data {data:.3f})')
        parts.append(f'memory {values["memory"]} MB')
        if 'grad_norm' in values:
            parts.append(f'grad norm {values["grad_norm"]:.3g}')
        return '  '.join([*parts, loss_text(values)])

    def get_log_after_epoch(
        self,
        runner: Runner,
        batch_idx: int,
        mode: str,
        with_non_scalar: bool = False,
    ) -> tuple[dict, str]:
        """Metrics for the backends, and the line.

        Args:
            runner: of the run.
            batch_idx: number of batches.
            mode: ``'val'`` or ``'test'``.
            with_non_scalar: the values have those too.
        """
        values, _ = super().get_log_after_epoch(
            runner, batch_idx, mode, with_non_scalar
        )
        metrics = [
            f'{name.partition("/")[2] or name} {value:.4g}'
            for name, value in values.items()
            if isinstance(value, Real) and 'time' not in name
        ]
        shown = metrics[:_MOST_METRICS]
        if len(metrics) > len(shown):
            shown.append(f'and {len(metrics) - len(shown)} in scalars.json')
        trained = runner._train_loop is not None
        place = f' at iter {runner.iter}' if mode == 'val' and trained else ''
        return values, f'{mode}{place}:  {"  ".join(shown) or "no metrics"}'


def loss_text(values: dict) -> str:
    """The total, and one number for each kind of loss.

    Args:
        values: logged values by name.
    """
    kinds = sum_losses(values)
    text = [f'loss {values["loss"]:.4g}'] if 'loss' in values else []
    own = kinds.pop('', {})
    rest = {name: sum(group.values()) for name, group in kinds.items()}
    # A single loss is the total.
    if len(own) + len(rest) > 1:
        both = {**own, **rest}
        named = ' '.join(f'{k} {v:.4g}' for k, v in both.items())
        text.append(f'({named})')
    return ' '.join(text)


def peak_memory() -> int:
    """Most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
