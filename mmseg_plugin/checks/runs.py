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


def size_of(rle: dict) -> tuple[float, ...]:
    """The stated height and width; nothing where they are no two numbers."""
    size = rle['size']
    if not isinstance(size, list | tuple) or len(size) != 2:
        return ()
    return tuple(size) if set(map(type, size)) <= {int, float} else ()


def is_sound(rle: dict) -> bool:
    """Whether the runs fill exactly the stated height and width."""
    runs, size = counts_of(rle['counts']), size_of(rle)
    if runs is None or not size:
        return False
    return int(runs.sum()) == size[0] * size[1]
