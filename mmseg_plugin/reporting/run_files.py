"""What a run left behind, whole or not."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from mmseg_plugin.apis.runs import run_config
from mmseg_plugin.cli.cli import UserError

_STEPS = re.compile(r'\d+')
# Where reports keep what they computed.
REPORT = 'report'


@dataclass
class RunFiles:
    """One work_dir.

    Attributes:
        folder: the work_dir.
        config: of its last start.
        train: logged values of training, by iteration.
        val: logged metrics of each evaluation, ``step`` in iterations.
        checkpoint: best or last one; None without any.
        notes: what is missing, in sentences.
    """

    folder: Path
    config: Config
    train: list[dict] = field(default_factory=list)
    val: list[dict] = field(default_factory=list)
    checkpoint: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.resolve().name

    @property
    def total_iters(self) -> int | None:
        """Iterations that the config asks for; None if it says epochs."""
        return (self.config.get('train_cfg') or {}).get('max_iters')

    def series(
        self, name: str, of: str = 'train'
    ) -> tuple[list[int], list[float]]:
        """Iterations and values of what was logged under a name.

        Args:
            name: of the value.
            of: ``'train'`` or ``'val'``.
        """
        lines = [line for line in getattr(self, of) if name in line]
        return [line['step'] for line in lines], [line[name] for line in lines]


def read_run(folder: Path) -> RunFiles:
    """Reads a run.

    Raises:
        UserError: the folder is not a work_dir.
    """
    run = RunFiles(folder, run_config(folder))
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        _add_lines(run, path)
    run.checkpoint = _checkpoint(folder)
    if not run.train:
        run.notes.append('It logged no training iteration.')
    if not run.val:
        run.notes.append('It was not validated, or not to the end.')
    if run.checkpoint is None:
        run.notes.append('It has no checkpoint: nothing can be predicted.')
    if note := _interruption(run):
        run.notes.append(note)
    return run


def _add_lines(run: RunFiles, path: Path) -> None:
    """A resumed run takes over from where it was resumed."""
    lines = []
    for text in path.read_text(encoding='utf-8').splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            # The last line of a run that was killed.
            continue
    trained = [line for line in lines if 'loss' in line]
    if trained:
        first = trained[0]['step']
        run.train = [k for k in run.train if k['step'] < first]
        run.val = [k for k in run.val if k['step'] < first]
    step = 0
    for line in lines:
        if 'loss' in line:
            step = line['step']
            run.train.append(line)
        elif (
            any(
                isinstance(v, int | float) and '/' in k
                for k, v in line.items()
            )
            or 'mIoU' in line
        ):
            # Validated after so many iterations, whatever it counts.
            run.val.append({**line, 'step': step})


def _checkpoint(folder: Path) -> Path | None:
    """The best one by the run's own measure, else the last."""
    best = sorted(folder.glob('best_*.pth'), key=lambda p: p.stat().st_mtime)
    if best:
        return best[-1]
    record = folder / 'last_checkpoint'
    if record.is_file():
        # The stored path was right when and where the run was made.
        named = folder / Path(record.read_text().strip()).name
        if named.is_file():
            return named
    others = sorted(folder.glob('*.pth'), key=lambda p: p.stat().st_mtime)
    return others[-1] if others else None


def _interruption(run: RunFiles) -> str:
    loop = run.config.get('train_cfg') or {}
    if not run.train:
        return ''
    last = run.train[-1]
    if loop.get('max_iters'):
        done, total, unit = last['step'], loop['max_iters'], 'iterations'
    elif loop.get('max_epochs'):
        done, total, unit = last.get('epoch', 0), loop['max_epochs'], 'epochs'
    else:
        return ''
    interval = _log_interval(run.config)
    slack = interval if unit == 'iterations' else 0
    if done + slack < total:
        return f'It ended early: {done} of {total} {unit} were logged.'
    if unit == 'epochs' and run.checkpoint is not None:
        numbers = [int(n) for n in _STEPS.findall(run.checkpoint.stem)]
        if '_iter_' in run.checkpoint.stem and len(numbers) == 2:
            return (
                f'It was stopped in epoch {numbers[0] + 1} of {total}, at '
                f'iteration {numbers[1]}.'
            )
    return ''


def _log_interval(config: Config) -> int:
    hooks = config.get('default_hooks') or {}
    return int((hooks.get('logger') or {}).get('interval', 10))


def common_names(runs: Sequence[RunFiles]) -> list[str]:
    """Short names that tell runs apart."""
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return names
    if len({str(run.folder) for run in runs}) < len(runs):
        raise UserError('a run is named twice')
    return [str(run.folder) for run in runs]
