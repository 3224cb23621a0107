"""Checks of data sets: pure functions of a snapshot, one file a group."""

from . import (
    balance,
    boxes,
    categories,
    crowd,
    exports,
    files,
    ids,
    leakage,
    masks,
    panoptic,
    polygons,
    rle,
    semantic,
)
from .findings import (
    CHECKS,
    FIXES,
    SEVERITIES,
    Check,
    Finding,
    Options,
    Selection,
    run_checks,
)
from .fixing import fixed_copy
from .report import format_report
from .snapshot import Snapshot

GROUPS = (
    files,
    ids,
    categories,
    boxes,
    polygons,
    rle,
    masks,
    crowd,
    panoptic,
    semantic,
    balance,
    leakage,
    exports,
)

__all__ = [
    'CHECKS',
    'FIXES',
    'GROUPS',
    'SEVERITIES',
    'Check',
    'Finding',
    'Options',
    'Selection',
    'Snapshot',
    'fixed_copy',
    'format_report',
    'run_checks',
]
