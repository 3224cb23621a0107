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
    semantic = kind.judged.kind == 'semantic'
    counts = _counts(kind)
    word = KIND_WORDS[kind.judged.kind].capitalize()
    names = list(kind.judged.classes)
    totals = counts.sum(1)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if semantic:
        names.append('void')
    else:
        # Far more are missed or invented, which the classes tell.
        wrong = wrong[:-1, :-1]
    order = np.argsort(-wrong, axis=None, kind='stable')[:_MOST]
    rows = []
    for place in order:
        truth, found = divmod(int(place), len(names))
        if not wrong[truth, found]:
            break
        share = float(wrong[truth, found] / totals[truth])
        row = (names[truth], names[found], int(wrong[truth, found]), share)
        rows.append(row)
    if not rows:
        said = f'{word}: no class was taken for another.'
        return paragraph(said) + _rest(counts, semantic)
    said = f'{word}: the most frequent mistakes.'
    unit = 'pixels' if semantic else 'objects'
    heads = ('is', 'was taken for', unit, 'share of the class')
    return table(heads, rows, said, digits=2) + _rest(counts, semantic)


def _rest(counts: np.ndarray, semantic: bool) -> str:
    if semantic:
        return ''
    mixed = counts[:-1, :-1].sum() - np.trace(counts[:-1, :-1])
    missed, invented = counts[:-1, -1].sum(), counts[-1].sum()
    return paragraph(
        f'{mixed} objects were taken for another class, {missed} were '
        f'missed, and {invented} results are no object.',
        'soft',
    )
