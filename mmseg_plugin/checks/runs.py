"""Runs of RLE masks."""

from __future__ import annotations

import numpy as np

from mmseg_plugin.datasets.annotations import run_lengths


def counts_of(counts: str | bytes | list) -> np.ndarray | None:
    """The runs, or None where they cannot be read."""
    try:
        return run_lengths(counts, '')
    except (TypeError, ValueError, UnicodeEncodeError):
        return None


def is_sound(rle: dict) -> bool:
    """Whether the runs fill exactly the stated height and width."""
    runs = counts_of(rle['counts'])
    if runs is None or len(rle['size']) != 2:
        return False
    return int(runs.sum()) == int(np.prod(rle['size']))
