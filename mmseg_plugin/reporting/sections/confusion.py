"""Which class was taken for which."""

import numpy as np

from mmseg_plugin.reporting.html import paragraph, table
from mmseg_plugin.reporting.matching import confusion
from mmseg_plugin.reporting.measures import pixel_confusion
from mmseg_plugin.reporting.view import KIND_WORDS, JudgedView, RunView

_MOST = 15


def confused(run: RunView) -> str:
    """The most frequent mistakes of each kind of result."""
    return ''.join(_mistakes(kind) for kind in run.kinds)


def _counts(kind: JudgedView) -> np.ndarray:
    """Objects, or pixels of a semantic result; see :func:`confusion`."""
    if kind.judged.kind != 'semantic':
        return confusion(kind.judged, kind.matched)
    size = len(kind.judged.classes)
    images = (pixel_confusion(r, size) for r in kind.judged.images)
    return sum(images, np.zeros((size + 1, size + 1), int))


def _mistakes(kind: JudgedView) -> str:
    names = [*kind.judged.classes, 'nothing']
    unit = 'pixels' if kind.judged.kind == 'semantic' else 'objects'
    counts = _counts(kind)
    totals = counts.sum(1)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind='stable')[:_MOST]
    rows = []
    for place in order:
        truth, found = divmod(int(place), len(names))
        if not wrong[truth, found]:
            break
        share = float(wrong[truth, found] / totals[truth])
        if truth == len(names) - 1:
            share = float('nan')
        rows.append(
            (names[truth], names[found], int(wrong[truth, found]), share)
        )
    word = KIND_WORDS[kind.judged.kind].capitalize()
    if not rows:
        return paragraph(f'{word}: no mistake.')
    return table(
        ('is', 'was taken for', unit, 'share of the class'),
        rows,
        f'{word}: the {len(rows)} most frequent mistakes; "nothing" is '
        'missed on the right, invented on the left.',
        digits=2,
    )
