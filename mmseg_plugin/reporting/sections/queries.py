"""What the queries of a query model do."""

import numpy as np

from mmseg_plugin.engine.logs.loss_kinds import sum_losses
from mmseg_plugin.reporting.html import curves, facts, paragraph, table
from mmseg_plugin.reporting.queries import QueryFacts
from mmseg_plugin.reporting.view import RunView
from mmseg_plugin.visualization.plots import Curve, Panel


def queries(run: RunView) -> str:
    """Matching by layer, and denoising against matching loss."""
    parts = []
    if run.queries is not None:
        parts += [_facts(run.queries), _layers(run.queries)]
    if panel := denoising_panel(run.files.train):
        parts.append(
            curves([panel], 'losses of matched and of denoising queries')
        )
        parts.append(
            paragraph(
                'Denoising queries know their object: where their loss falls '
                'and that of matched queries does not, the matching is what '
                'the model has not learned.',
                'soft',
            )
        )
    return ''.join(parts)


def _facts(found: QueryFacts) -> str:
    share = found.matched[-1] / found.queries
    pairs: list[tuple[str, str | int]] = [
        ('queries', found.queries),
        ('matched at least once', f'{share:.0%}'),
        ('training samples looked at', found.samples),
        ('objects in them', found.targets),
    ]
    hint = ''
    if found.targets >= found.queries and share < 0.5:
        hint = paragraph(
            'Less than half of the queries ever match: fewer num_queries '
            'would do, and cost less.'
        )
    return facts(pairs) + hint


def _layers(found: QueryFacts) -> str:
    layers = len(found.matched)
    stable = [*found.stable, float('nan')]
    rows = [
        (
            str(i + 1),
            found.matched[i],
            stable[i],
            found.no_object[i],
        )
        for i in range(layers)
    ]
    heads = (
        'prediction',
        'queries that matched',
        'same query in the next',
        'no-object rate',
    )
    caption = 'From the first prediction to that of the last decoder layer.'
    return table(heads, rows, caption, digits=2)


def denoising_panel(lines: list[dict]) -> Panel | None:
    """Sums of both groups, by their common kinds; None without denoising."""
    sums = [sum_losses(line) for line in lines]
    if not any('denoising' in one for one in sums):
        return None
    steps = np.array([line['step'] for line in lines])
    found = []
    for group, name in (('', 'matched'), ('denoising', 'denoising')):
        values = [
            sum(v for k, v in one.get(group, {}).items() if k != 'ibs')
            for one in sums
        ]
        found.append(Curve(name, steps, np.array(values)))
    return Panel('queries', 'iteration', 'sum of losses', found, far=True)
