"""Precision-recall curves of instances."""

import numpy as np

from mmseg_plugin.evaluation.pr_curves import CURVES
from mmseg_plugin.reporting.html import curves
from mmseg_plugin.reporting.view import RunView
from mmseg_plugin.visualization.plots import Curve, Panel

_RECALL = np.linspace(0, 1, 101)
# Curves of more classes cannot be told apart.
_MOST = 7


def precision_recall(run: RunView) -> str:
    """Means over classes, and single classes where they are few."""
    for kind in run.kinds:
        precision = kind.measured.precision
        if precision is None or (precision <= -1).all():
            continue
        there = (precision[0, 0, :, 0] > -1).nonzero()[0]
        means = [
            Curve(
                f'IoU {name}',
                _RECALL,
                precision[ious][:, :, there, 0].mean((0, 2)),
            )
            for name, ious in CURVES.items()
        ]
        axes = ('recall', 'precision')
        panels = [Panel('mean over classes', *axes, means)]
        if 1 < len(there) <= _MOST:
            single = [
                Curve(kind.judged.classes[i], _RECALL, precision[0, :, i, 0])
                for i in there
            ]
            panels.append(Panel('classes, IoU 0.5', *axes, single))
        return curves(panels, 'precision over recall')
    return ''
