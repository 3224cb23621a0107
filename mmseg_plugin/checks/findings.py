"""What a check is, what it finds, and the registry of all checks."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mmseg_plugin.checks.snapshot import Snapshot

# By consequence, worst first.
SEVERITIES = {
    'error': 'training or evaluation stops, or is wrong',
    'warning': 'objects or images are lost in silence',
    'note': 'worth knowing',
}
MAX_PLACES = 5


@dataclass(frozen=True)
class Options:
    """What the checks are told besides the data.

    Attributes:
        num_queries: of the model; objects beyond it cannot be found.
        max_dets: objects an image that the metric counts.
        stride: of the finest feature map, in pixels of the image.
        classes: names that the config gives, in its order.
        few: a class with fewer objects is reported.
        scale: to which the config resizes images, in pixels, keeping their
            ratio.
        turns: whether images are turned by their EXIF orientation, as mmcv
            does by default.
    """

    num_queries: int | None = None
    max_dets: int = 100
    stride: int = 4
    classes: tuple[str, ...] | None = None
    few: int = 10
    scale: tuple[int, int] | None = None
    turns: bool = True


@dataclass(frozen=True)
class Hits:
    """How often something was found, and the first places.

    Attributes:
        count: how often.
        places: names of the first.
        rows: their indices among annotations or images.
        kind: ``'annotation'``, ``'image'`` or ``''``.
    """

    count: int
    places: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    kind: str = ''


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``file`` is the annotation file."""

    id: str
    severity: str
    count: int
    message: str
    fix: str
    file: str
    places: tuple[str, ...] = ()
    can_fix: bool = False
    rows: tuple[int, ...] = ()
    kind: str = ''

    def as_dict(self) -> dict:
        """For programs; rows and their kind are for drawing."""
        found = asdict(self)
        del found['rows'], found['kind']
        return found


@dataclass(frozen=True)
class Check:
    """A pure function of a snapshot and options, and what it means."""

    id: str
    severity: str
    message: str
    fix: str
    run: Callable[[Snapshot, Options], Hits]
    kinds: tuple[str, ...] = ('instances',)
    # Whether the images themselves are read.
    reads_images: bool = False

    @property
    def group(self) -> str:
        return self.id.partition('.')[0]


CHECKS: dict[str, Check] = {}
# Id to what changes the data in place so that the check passes.
FIXES: dict[str, Callable[[Snapshot], None]] = {}


def check(
    id: str,  # noqa: A002
    severity: str,
    message: str,
    fix: str,
    **kwargs: Any,
) -> Callable:
    """Registers ``(snapshot, options) -> Hits`` as a check."""

    def register(run: Callable) -> Callable:
        CHECKS[id] = Check(id, severity, message, fix, run, **kwargs)
        return run

    return register


def fixes(*ids: str) -> Callable:
    """Registers what ``--fix`` does about a finding."""

    def register(run: Callable) -> Callable:
        FIXES.update(dict.fromkeys(ids, run))
        return run

    return register


def hits(where: np.ndarray | np.bool_, name: Callable[[int], str]) -> Hits:
    """Hits of a boolean array, or of a list of indices.

    Args:
        where: boolean of every candidate, or the indices of the hits.
        name: of a place, by index.
    """
    array = np.asarray(where)
    found = np.flatnonzero(array) if array.dtype == bool else array
    rows = tuple(int(index) for index in found[:MAX_PLACES])
    places = tuple(name(row) for row in rows)
    kind = getattr(name, '__name__', '').removeprefix('name_')
    if kind not in ('annotation', 'image'):
        return Hits(len(found), places)
    return Hits(len(found), places, rows, kind)


def listed(places: Sequence[str]) -> Hits:
    """Hits whose places are known by name."""
    return Hits(len(places), tuple(places[:MAX_PLACES]))


@dataclass(frozen=True)
class Selection:
    """Which checks run: ids or groups.

    Raises:
        ValueError: neither an id nor a group; the nearest one is named.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    checks: tuple[Check, ...] = field(init=False)

    def __post_init__(self) -> None:
        known = {*CHECKS, *(check.group for check in CHECKS.values())}
        for word in (*self.only, *self.skip):
            if word not in known:
                close = difflib.get_close_matches(word, known, 1, 0.5)
                hint = f'; did you mean {close[0]}?' if close else ''
                raise ValueError(f'there is no check or group {word}{hint}')
        chosen = tuple(c for c in CHECKS.values() if self._takes(c))
        object.__setattr__(self, 'checks', chosen)

    def _takes(self, check: Check) -> bool:
        names = {check.id, check.group}
        wanted = not self.only or not names.isdisjoint(self.only)
        return wanted and names.isdisjoint(self.skip)


def run_checks(
    snapshot: Snapshot, options: Options, selection: Selection | None = None
) -> list[Finding]:
    """Runs checks on one annotation file.

    Returns:
        Findings, worst first.
    """
    chosen = selection or Selection()
    findings = []
    for one in chosen.checks:
        if snapshot.kind not in one.kinds:
            continue
        if one.reads_images and snapshot.image_dir is None:
            continue
        found = one.run(snapshot, options)
        if found.count:
            findings.append(_finding(one, found, snapshot))
    order = list(SEVERITIES)
    return sorted(findings, key=lambda f: (order.index(f.severity), -f.count))


def _finding(one: Check, found: Hits, snapshot: Snapshot) -> Finding:
    # Label maps have no annotation file that could be written anew.
    in_file = snapshot.kind != 'semantic'
    return Finding(
        id=one.id,
        severity=one.severity,
        count=found.count,
        message=one.message,
        fix=one.fix,
        file=str(snapshot.path),
        places=found.places,
        can_fix=in_file and one.id in FIXES,
        rows=found.rows,
        kind=found.kind,
    )
