"""Goes on with a finished run: more epochs or iterations, a new schedule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseg_plugin.apis.runs import Run, config_files
from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.cli.configs import read_config
from mmseg_plugin.engine.checkpoint import load_file
from mmseg_plugin.engine.files import write_checkpoint
from mmseg_plugin.utils.words import counted

if TYPE_CHECKING:
    from mmengine.config import Config

# Of the first run's peak: its weights are near their end.
PEAK = 0.5
# Of the new part, in which the rate rises; and where it begins.
WARM_UP = 0.05
START = 0.05


@dataclass(frozen=True)
class Extension:
    """What is handed to the training tool.

    Attributes:
        config: file.
        checkpoint: to resume from; not needed afterwards.
        words: what will be done.
    """

    config: Path
    checkpoint: Path
    words: str


def extend_run(folder: Path, more: int) -> Extension:
    """Prepares more training after the last checkpoint of a run.

    Weights, averaged weights, the optimizer's state and the best result go
    on; the learning rate rises to half of the first run's peak in the first
    twentieth of the new part, and falls to 0 along a cosine.

    Args:
        folder: the work_dir.
        more: epochs, or iterations where the run counts those.

    Raises:
        UserError: nothing was trained there, or it is not finished.
    """
    if more < 1:
        raise UserError('--extend begins at 1')
    run = Run(folder)
    content = load_file(run.checkpoint, 'cpu')
    meta = content['meta']
    unit, config = _finished_config(folder, meta)
    an_epoch = meta['iter'] // meta['epoch'] if unit == 'epoch' else 1
    steps = more * an_epoch
    peak = _restart(content)
    config = _longer(config, unit, meta[unit] + more, steps)
    name = f'extended_to_{unit}_{meta[unit] + more}'
    out = Extension(
        folder / f'{name}.py',
        folder / f'{name}.start',
        f'{counted(more, unit)} more, to {meta[unit] + more}: '
        f'{counted(steps, "iteration")}; '
        f'the learning rate rises to {peak:.3g}, half of what it was at most, '
        f'in {counted(_warm_up(steps), "iteration")}, then falls to 0 along a '
        'cosine',
    )
    write_checkpoint(content, out.checkpoint)
    with atomic_path(out.config) as part:
        part.write_text(config.pretty_text)
    return out


def _finished_config(folder: Path, meta: dict) -> tuple[str, Config]:
    """What a run counts, and the config that its checkpoint is the end of.

    Not that of the last start, if that was stopped before it saved anything.

    Args:
        folder: the work_dir.
        meta: of the checkpoint.
    """
    found = []
    for path in reversed(config_files(folder)):
        config = read_config(path)
        loop = config.train_cfg
        by_iter = 'max_iters' in loop or not loop.get('by_epoch', True)
        unit = 'iter' if by_iter else 'epoch'
        length = loop[f'max_{unit}s']
        if meta[unit] == length:
            return unit, config
        found.append((unit, length))
    unit, length = found[0]
    raise UserError(
        f'{folder} is not finished: {meta[unit]} of {length} {unit}s; go on '
        'with --resume'
    )


def _warm_up(steps: int) -> int:
    return max(1, round(WARM_UP * steps))


def _restart(content: dict) -> float:
    """Puts the optimizer at the start of the new schedule.

    Returns:
        The largest peak of its groups.
    """
    # Their state would replace the new schedulers'.
    content.pop('param_schedulers', None)
    state = content['optimizer']
    groups: list[dict[str, Any]] = list(state['param_groups'])
    if isinstance(state.get('base_param_settings'), dict):
        groups.append(state['base_param_settings'])
    for group in groups:
        group['initial_lr'] = PEAK * group.get('initial_lr', group['lr'])
        group['lr'] = START * group['initial_lr']
    return max(group['initial_lr'] for group in groups)


def _longer(config: Config, unit: str, end: int, steps: int) -> Config:
    longer = config.copy()
    longer.train_cfg[f'max_{unit}s'] = end
    longer.param_scheduler = [
        {
            'type': 'LinearLR',
            'start_factor': START,
            'by_epoch': False,
            # The last step of it is one before.
            'end': _warm_up(steps) + 1,
        },
        {'type': 'CosineAnnealingLR', 'by_epoch': False, 'T_max': steps},
    ]
    longer.load_from, longer.resume = None, False
    return longer
