"""How often results of a score are right."""

import numpy as np

from mmseg_plugin.reporting.html import curves, paragraph, table
from mmseg_plugin.reporting.matching import ScoredHits
from mmseg_plugin.reporting.view import RunView
from mmseg_plugin.visualization.plots import Curve, Panel

_BINS = np.linspace(0, 1, 11)


def reliability(found: ScoredHits) -> np.ndarray:
    """Mean score, precision and results, (10, 3), of tenths of the scores.

    NaN where there is no result.
    """
    rows = []
    places = np.clip(np.digitize(found.scores, _BINS[1:-1]), 0, 9)
    for i in range(10):
        own = places == i
        count = int(own.sum())
        if count:
            rows.append(
                (found.scores[own].mean(), found.hits[own].mean(), count)
            )
        else:
            rows.append((np.nan, np.nan, 0))
    return np.array(rows)


def expected_error(rows: np.ndarray) -> float:
    """Mean distance of score and precision, weighted by results.

    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning", AAAI 2015.

    Args:
        rows: see :func:`reliability`.
    """
    known = rows[:, 2] > 0
    score, hit, count = rows[known].T
    return float((abs(score - hit) * count).sum() / max(count.sum(), 1))


def calibration(run: RunView) -> str:
    """Of the first kind of result that has scores."""
    for kind in run.kinds:
        if not kind.hits.scores.any():
            continue
        rows = reliability(kind.hits)
        known = rows[rows[:, 2] > 0]
        error = expected_error(rows)
        way = 'higher' if (known[:, 0] - known[:, 1]).mean() > 0 else 'lower'
        best = 'No result is right at IoU 0.5, whatever the threshold.'
        if kind.hits.hits.any():
            best = (
                f'A threshold of {kind.threshold:.2f} has the best F1 at '
                'IoU 0.5.'
            )
        said = paragraph(
            f'Scores are {error:.2f} away from the share of right results '
            f'(expected calibration error), as a rule {way}. {best}'
        )
        line = np.array([0.0, 1.0])
        panel = Panel(
            'right results by score',
            'score',
            'share that is right',
            [
                Curve('this model', known[:, 0], known[:, 1]),
                Curve('scores as probabilities', line, line),
            ],
        )
        cells = [
            (f'{_BINS[i]:.1f} to {_BINS[i + 1]:.1f}', int(n), hit)
            for i, (_, hit, n) in enumerate(rows.tolist())
        ]
        heads = ('score', 'results', 'share that is right')
        return (
            said
            + curves([panel], 'share of right results by score')
            + table(heads, cells, 'Results by score.', digits=2)
        )
    return ''
