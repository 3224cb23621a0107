"""How times grow: from mask embeddings to gradients, and of loading."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_input_pipeline import input_pipeline
from harness import Arms, race, write_line
from mask_path import Size, mask_path

from mmseg_plugin.cli.cli import atomic_path
from mmseg_plugin.visualization.plots import Curve, Panel, save_plot

# One image and four layers, so that the largest take seconds.
BASE = Size(image=512, targets=20, layers=4, images=1)
SERIES = {
    'targets': (5, 20, 50, 100, 200, 500),
    'image': (256, 512, 768, 1024, 1536),
    'queries': (50, 100, 300, 600, 900),
    'points': (784, 3136, 12544, 50176),
}
INSTANCES = (5, 20, 50, 100, 200, 500, 1000)
LABELS = {
    'instances': 'instances an image, four images to load',
    'targets': 'targets',
    'image': 'height and width of the image',
    'queries': 'queries',
    'points': 'points per mask',
}
NAMES = ('mmseg_plugin', 'mmdet')


def measure_growth(out: Path) -> None:
    """Writes ``growth.jsonl`` and a plot for each series.

    Args:
        out: folder to write to.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, values in SERIES.items():
        changes: list[dict[str, Any]] = [{name: value} for value in values]
        sizes = [BASE._replace(**change) for change in changes]
        _plot(out, name, values, [partial(mask_path, s) for s in sizes])
    images = [
        partial(input_pipeline, 'instances', v, 'pillow') for v in INSTANCES
    ]
    _plot(out, 'instances', INSTANCES, images)


def _plot(
    out: Path,
    name: str,
    values: Sequence[int],
    arms: Sequence[Callable[[], Arms]],
) -> None:
    """Races the arms of each value and plots both curves."""
    times = [
        _times(out / 'growth.jsonl', name, value, make())
        for value, make in zip(values, arms, strict=True)
    ]
    curves = [
        Curve(label, np.array(values), seconds)
        for label, seconds in zip(NAMES, np.array(times).T, strict=True)
    ]
    panel = Panel('', LABELS[name], 'CPU seconds', curves)
    with atomic_path(out / f'growth_{name}.png') as path:
        save_plot([panel], path)


def _times(
    lines: Path, name: str, value: int, arms: Arms
) -> tuple[float, float]:
    """CPU seconds of both, also printed and written to ``lines``."""
    ours, peer = race(arms, budget=0)
    print(
        f'{name:8} {value:6} {ours:8.3f} {peer:8.3f} s  {peer / ours:6.1f}x',
        flush=True,
    )
    result = {
        'bench': f'growth_{name}_{value}',
        'ours': ours,
        'peer': peer,
        'ratio': peer / ours,
        'unit': 's',
        'peer_name': 'mmdet',
        'threads': torch.get_num_threads(),
    }
    write_line(lines, result)
    return ours, peer
