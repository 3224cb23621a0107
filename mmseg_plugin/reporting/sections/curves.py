"""Losses, metrics, learning rate, memory and time over the iterations."""

import numpy as np

from mmseg_plugin.engine.logs.loss_kinds import sum_losses
from mmseg_plugin.reporting.html import curves, paragraph
from mmseg_plugin.reporting.view import RunView
from mmseg_plugin.visualization.plots import Curve, Panel

# From these shares of an iteration on, data are what it waits for.
_WAITS, _SOME = 0.3, 0.1
_X = 'iteration'


def training_curves(run: RunView) -> str:
    """All that was logged, and what bounds the run."""
    lines = run.files.train
    if not lines:
        return paragraph('No iteration was logged.', 'note')
    parts = [
        paragraph(verdict(lines)),
        curves(loss_panels(lines), 'losses by kind over the iterations'),
    ]
    if panels := metric_panels(run.files.val):
        parts.append(curves(panels, 'metrics of each validation'))
    return ''.join([*parts, curves(_machine(lines), 'rate, memory, time')])


def verdict(lines: list[dict]) -> str:
    """Which of reading and computing bounds a run.

    Args:
        lines: logged iterations; the first is left out where there are
            more, as it starts the workers.
    """
    timed = [line for line in lines if line.get('time')]
    timed = timed[1:] or timed
    if not timed:
        return 'No times were logged.'
    whole = float(np.mean([line['time'] for line in timed]))
    data = float(np.mean([line.get('data_time', 0.0) for line in timed]))
    share = data / whole
    said = f'{whole:.3f} s an iteration, {share:.0%} of it waiting for data'
    if share >= _WAITS:
        return (
            f'Bound by data: {said}. More num_workers of train_dataloader, '
            'or smaller images on the disk, make it faster.'
        )
    if share >= _SOME:
        return f'Mostly bound by computing: {said}; more workers help a bit.'
    return f'Bound by computing: {said}.'


def _curve(name: str, steps: list[int], values: list[float]) -> Curve:
    return Curve(name, np.array(steps), np.array(values, float))


def loss_panels(lines: list[dict]) -> list[Panel]:
    """One number for each kind of loss; groups beside each other."""
    sums = [sum_losses(line) for line in lines]
    steps = [line['step'] for line in lines]
    groups: dict[str, list[str]] = {}
    for one in sums:
        for group, named in one.items():
            known = groups.setdefault(group, [])
            known += [kind for kind in named if kind not in known]
    panels = []
    for group, kinds in groups.items():
        shown = [
            _curve(
                kind,
                steps,
                [s.get(group, {}).get(kind, np.nan) for s in sums],
            )
            for kind in kinds
        ]
        title = group or 'losses'
        panels.append(Panel(title, _X, 'sum over layers', shown, far=True))
    if not panels:
        total = [line['loss'] for line in lines]
        curve = _curve('loss', steps, total)
        panels = [Panel('loss', _X, 'loss', [curve], far=True)]
    return panels


def metric_panels(lines: list[dict]) -> list[Panel]:
    """Main metrics; those in percent apart from those up to 1."""
    names = dict.fromkeys(
        name
        for line in lines
        for name in line
        if name.endswith(
            ('mAP', 'mAP_50', 'mAP_75', 'PQ', 'SQ', 'RQ', 'PQ_th', 'PQ_st')
        )
        or name in ('mIoU', 'mAcc', 'aAcc')
    )
    panels: dict[str, list[Curve]] = {}
    for name in names:
        rows = [line for line in lines if name in line]
        prefix, _, short = name.rpartition('/')
        kind = 'box' if short.startswith('bbox') else 'mask'
        title = f'{kind} AP' if 'mAP' in short else prefix or 'semantic'
        word = short.replace('bbox_', '').replace('segm_', '')
        word = word.replace('mAP_', 'AP').replace('mAP', 'AP')
        panels.setdefault(title.replace('coco_', ''), []).append(
            _curve(word, [r['step'] for r in rows], [r[name] for r in rows])
        )
    return [
        Panel(title, _X, _unit(title), found)
        for title, found in panels.items()
    ]


def _unit(title: str) -> str:
    return 'in [0, 1]' if title.endswith('AP') else 'percent'


def _machine(lines: list[dict]) -> list[Panel]:
    steps = [line['step'] for line in lines]

    def values(name: str) -> list[float]:
        return [line.get(name, np.nan) for line in lines]

    whole, data = np.array(values('time')), np.array(values('data_time'))
    panels = [
        Panel('learning rate', _X, 'rate', [_curve('lr', steps, values('lr'))])
    ]
    if any('memory' in line for line in lines):
        memory = _curve('peak memory', steps, values('memory'))
        panels.append(Panel('memory', _X, 'MB', [memory]))
    both = [
        _curve('computing', steps, (whole - data).tolist()),
        _curve('waiting for data', steps, data.tolist()),
    ]
    return [*panels, Panel('time', _X, 'seconds an iteration', both)]
