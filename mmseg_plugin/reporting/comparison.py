"""Several runs side by side, with how sure their differences are."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from mmseg_plugin.reporting.bootstrap import paired_difference, resampled
from mmseg_plugin.reporting.differing import differing
from mmseg_plugin.reporting.html import Cell, curves, paragraph, table
from mmseg_plugin.reporting.records import ImageRecord, Judged
from mmseg_plugin.reporting.sections.outcome import setting
from mmseg_plugin.reporting.view import (
    KIND_WORDS,
    JudgedView,
    Reader,
    RunView,
)
from mmseg_plugin.visualization.plots import Curve, Panel

# AP is counted anew for each draw, class and threshold.
_DRAWS = {'instances': 400, 'panoptic': 2000, 'semantic': 2000}
# Runs whose differences are all told.
_MOST = 6


def comparison(runs: Sequence[RunView]) -> str:
    """Outcome of each run, differences, classes and curves."""
    parts = []
    for kind in ('panoptic', 'instances', 'semantic'):
        views = {
            run.name: view
            for run in runs
            for view in run.kinds
            if view.judged.kind == kind
        }
        if len(views) > 1:
            parts.append(_kind(kind, views, runs[0].read))
    parts += [_loss(runs), _settings(runs)]
    return ''.join(parts)


def _kind(kind: str, views: dict[str, JudgedView], read: Reader) -> str:
    word = KIND_WORDS[kind]
    measure = next(iter(views.values())).measured.name
    heads = ['run', f'{measure} in percent', 'images']
    rows: list[list[Cell]] = [
        [name, 100 * view.measured.total, len(view.judged.images)]
        for name, view in views.items()
    ]
    if kind == 'instances':
        heads.append(f'{measure} is taken')
        for row, view in zip(rows, views.values(), strict=True):
            row.append(view.judged.limit())
    said = table(heads, rows, f'{word.capitalize()}.', digits=1)
    return ''.join(
        [
            *(said, _differences(kind, views), _classes(views, measure)),
            differing(views, read),
        ]
    )


def in_common(one: Judged, two: Judged) -> tuple[Judged, Judged] | None:
    """Both on the images and classes that both have, in one order.

    Returns:
        None without such an image or class.
    """
    classes = [name for name in one.classes if name in set(two.classes)]
    places = {record.path: record for record in two.images}
    pairs = [(r, places[r.path]) for r in one.images if r.path in places]
    if not classes or not pairs:
        return None
    first, second = (
        Judged(
            judged.kind,
            classes,
            [_of_classes(pair[side], judged, classes) for pair in pairs],
            judged.max_dets,
        )
        for side, judged in enumerate((one, two))
    )
    return first, second


def _of_classes(
    record: ImageRecord, judged: Judged, classes: Sequence[str]
) -> ImageRecord:
    """An image with some of the classes, numbered by them."""
    number = {name: i for i, name in enumerate(classes)}
    labels = [number.get(name) for name in judged.classes]
    truth, found = (
        [
            region._replace(label=label)
            for region in regions
            if (label := labels[region.label]) is not None
        ]
        for regions in (record.truth, record.found)
    )
    return ImageRecord(record.id, record.path, record.size, truth, found)


def _differences(kind: str, views: dict[str, JudgedView]) -> str:
    rows, notes = [], []
    for one, two in list(combinations(views, 2))[: _MOST * 2]:
        both = in_common(views[one].judged, views[two].judged)
        if both is None:
            notes.append(
                paragraph(
                    f'{one} and {two} have no image or no class in common: '
                    'their difference means nothing.',
                    'note',
                )
            )
            continue
        first, second = both
        found = paired_difference(
            *(resampled(first), resampled(second), len(first.images)),
            _DRAWS[kind],
        )
        sure = found.low > 0 or found.high < 0
        rows.append(
            (
                f'{two} − {one}',
                *(100 * value for value in found),
                len(first.images),
                len(first.classes),
                'yes' if sure else 'no',
            )
        )
    if not rows:
        return ''.join(notes)
    heads = (
        *('difference', 'points', '2.5 %', '97.5 %', 'images', 'classes'),
        'more than chance of images',
    )
    caption = (
        'On the images and classes in common: differences in points of '
        'percent, with the interval that holds 95 % of them where images '
        'are drawn anew, the same for both runs. Other seeds of training '
        'are not in it.'
    )
    return ''.join([*notes, table(heads, rows, caption, digits=1)])


def _classes(views: dict[str, JudgedView], measure: str) -> str:
    names = list(
        dict.fromkeys(c for v in views.values() for c in v.judged.classes)
    )
    rows = []
    for name in names:
        row: list[str | float] = [name]
        for view in views.values():
            classes = list(view.judged.classes)
            values = view.measured.rows
            known = name in classes
            value = values[classes.index(name)] if known else {}
            key = 'IoU' if measure == 'mIoU' else measure
            row.append(100 * value.get(key, float('nan')))
        rows.append(row)
    heads = ('class', *views)
    return table(heads, rows, f'{measure} of classes in percent.', digits=1)


def _loss(runs: Sequence[RunView]) -> str:
    found = []
    for run in runs:
        steps, values = run.files.series('loss')
        if steps:
            found.append(Curve(run.name, np.array(steps), np.array(values)))
    if not found:
        return ''
    panel = Panel('total loss', 'iteration', 'loss', found, far=True)
    return curves([panel], 'total loss of each run')


def _settings(runs: Sequence[RunView]) -> str:
    """What differs between the runs."""
    told = [dict(setting(run)) for run in runs]
    names = dict.fromkeys(name for one in told for name in one)
    rows = [(name, *(_text(one.get(name)) for one in told)) for name in names]
    heads = ('', *(run.name for run in runs))
    return table(heads, rows, 'What was trained on what.')


def _text(value: object) -> str:
    return '–' if value is None else str(value)
