"""How small and large objects are found."""

import numpy as np

from mmseg_plugin.reporting.html import table
from mmseg_plugin.reporting.view import KIND_WORDS, JudgedView, RunView

# COCO's borders, in pixels of area.
BORDERS = {
    'small': (0, 32**2),
    'medium': (32**2, 96**2),
    'large': (96**2, np.inf),
}


def sizes(run: RunView) -> str:
    """A table for each kind of result with objects."""
    kinds = [k for k in run.kinds if k.judged.kind != 'semantic']
    return ''.join(_table(kind) for kind in kinds)


def _table(kind: JudgedView) -> str:
    areas, found = [], []
    for record, one in zip(kind.judged.images, kind.matched, strict=True):
        right = {pair.truth for pair in one.right}
        for i, region in enumerate(record.truth):
            if not region.crowd:
                areas.append(region.area)
                found.append(i in right)
    area, hit = np.array(areas), np.array(found, bool)
    values = kind.measured.sizes
    rows = []
    for name, (low, high) in BORDERS.items():
        own = (area >= low) & (area < high)
        rate = float(hit[own].mean()) if own.any() else float('nan')
        upper = f'to {high:,.0f}' if high < np.inf else 'and more'
        row: list[str | float] = [
            name,
            f'{low:,} {upper}',
            int(own.sum()),
            rate,
        ]
        if values:
            row.append(values[name])
        rows.append(row)
    heads = ['size', 'pixels', 'objects', 'share found']
    heads += ['AP'] if values else []
    word = KIND_WORDS[kind.judged.kind].capitalize()
    return table(heads, rows, f'{word} by area.')
