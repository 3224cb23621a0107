"""Line plots that can be read without colour and drawn without a display."""

from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmseg_plugin.visualization.fonts import set_line

# Okabe and Ito's palette: told apart with every kind of colour vision.
_COLORS = (
    '#0072b2',
    '#d55e00',
    '#009e73',
    '#cc79a7',
    '#56b4e9',
    '#e69f00',
)
# Axes and words; a page replaces it by the colour of its text.
INK = '#010203'
_LINES = ('-', '--', '-.', ':')
_MARKERS = 'os^Dv*XP<>'
# From this ratio on small values are a line at the bottom.
_FAR = 30


class Curve(NamedTuple):
    """One line; ``raw`` is drawn faintly behind it. All of shape (n,)."""

    label: str
    x: np.ndarray
    y: np.ndarray
    raw: np.ndarray | None = None


class Panel(NamedTuple):
    """One pair of axes; ``far``: large and small values alike are shown."""

    title: str
    x_label: str
    y_label: str
    curves: list[Curve]
    far: bool = False

    def values(self) -> np.ndarray:
        """Those of all curves that are finite, (n,)."""
        every = np.concatenate([np.ravel(c.y) for c in self.curves])
        return every[np.isfinite(every)].astype(float)


def save_plot(panels: list[Panel], path: Path) -> None:
    """Draws panels side by side; a curve looks the same in all of them.

    Args:
        panels: each lists the same curves in the same order.
        path: image to write; its suffix says the format.
    """
    figure_of(panels).savefig(path, dpi=90, pil_kwargs={'optimize': True})


def figure_of(
    panels: list[Panel], limits: tuple[float, float] | None = None
) -> Figure:
    """See :func:`save_plot`.

    Args:
        panels: as there.
        limits: of the values that are shown; None: by the curves.
    """
    rows = max(len(panel.curves) for panel in panels)
    figure = Figure(
        figsize=(5.2 * len(panels), 4 + 0.12 * rows), layout='constrained'
    )
    same_unit = len({panel.y_label for panel in panels}) == 1
    grid = figure.subplots(
        1, len(panels), sharey=same_unit, subplot_kw={'facecolor': 'none'}
    )
    for axes, panel in zip(np.ravel(grid), panels, strict=True):
        _draw(axes, panel)
        if limits is not None:
            axes.set_ylim(limits)
    return figure


def common_limits(panels: list[Panel]) -> tuple[float, float] | None:
    """Of panels of one unit, so that they can be compared; else None."""
    values = np.concatenate([panel.values() for panel in panels])
    if len({panel.y_label for panel in panels}) > 1 or not values.size:
        return None
    low, high = float(values.min()), float(values.max())
    if any(_is_far(panel) for panel in panels) and low > 0:
        return 0.8 * low, 1.25 * high
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _is_far(panel: Panel) -> bool:
    values = panel.values()
    positive = panel.far and values.size and values.min() > 0
    return bool(positive) and values.max() > _FAR * values.min()


def _draw(axes: Axes, panel: Panel) -> None:
    colors, lines, markers = map(cycle, (_COLORS, _LINES, _MARKERS))
    for curve in panel.curves:
        color = next(colors)
        if curve.raw is not None:
            axes.plot(curve.x, curve.raw, color=color, alpha=0.25, lw=0.8)
        axes.plot(
            curve.x,
            curve.y,
            color=color,
            linestyle=next(lines),
            marker=next(markers),
            markersize=4,
            markevery=max(len(curve.x) // 10, 1),
            linewidth=1.3,
            label=curve.label,
        )
    if _is_far(panel):
        axes.set_yscale('log')
    if not panel.values().any():
        # Around zero alone, values below it would seem to be possible.
        axes.set_ylim(0, 1)
    axes.set_xlabel(panel.x_label, color=INK)
    axes.set_ylabel(panel.y_label, color=INK)
    set_line(axes.set_title('', color=INK), panel.title, 'large')
    axes.tick_params(colors=INK)
    axes.spines[['top', 'right']].set_visible(False)
    axes.spines[['bottom', 'left']].set_color(INK)
    axes.grid(alpha=0.3)
    legend = axes.legend(
        loc='upper center',
        bbox_to_anchor=(0.5, -0.14),
        ncols=2,
        frameon=False,
        handlelength=4,
        labelcolor=INK,
    )
    for text in legend.get_texts():
        set_line(text, text.get_text(), 'small')
