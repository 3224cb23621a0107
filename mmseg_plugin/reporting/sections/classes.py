"""AP, PQ or IoU of each class, with how often it occurs."""

from mmseg_plugin.reporting.html import paragraph, table
from mmseg_plugin.reporting.matching import confusion
from mmseg_plugin.reporting.measures import objects_by_class
from mmseg_plugin.reporting.view import KIND_WORDS, JudgedView, RunView


def classes(run: RunView) -> str:
    """A table for each kind of result."""
    return ''.join(_table(kind) for kind in run.kinds)


def _table(kind: JudgedView) -> str:
    judged, rows = kind.judged, kind.measured.rows
    count = len(judged.classes)
    there = objects_by_class(judged.images, count)
    pairs = confusion(judged, kind.matched)
    columns = list(rows[0]) if rows else []
    # Regions of a map are no objects.
    objects = judged.kind != 'semantic'
    body: list[list[str | int | float]] = []
    for i, name in enumerate(judged.classes):
        row: list[str | int | float] = [name, int(there[i, 1])]
        row += [rows[i][column] for column in columns]
        if objects:
            right, found = int(pairs[i, i]), int(pairs[:, i].sum())
            missed = int(pairs[i].sum()) - right
            row += [int(there[i, 0]), right, found - right, missed]
        body.append(row)
    body.sort(key=lambda row: (row[1] == 0, row[2]))
    heads = ['class', 'images', *columns]
    if objects:
        heads += ['objects', 'right', 'wrong', 'missed']
    word = KIND_WORDS[judged.kind].capitalize()
    if counted := judged.limit():
        word += f', {counted}'
    said = table(heads, body, f'{word}; the worst class first.')
    if kind.threshold:
        said += paragraph(
            f'Right, wrong and missed count results with a score of '
            f'{kind.threshold:.2f} or more, where F1 is best.',
            'soft',
        )
    return said
