"""Times two arms side by side: ours and a peer's, on the same inputs.

Speed: both arms in one process, interleaved, process CPU time, the minimum of
the rounds. Memory: each arm alone in a fresh process, growth of its peak.
"""

import ctypes
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Arms(NamedTuple):
    """What one benchmark compares.

    A benchmark asserts that both arms agree before it returns them.

    Attributes:
        ours: does the work once with the plugin.
        peer: does the same work with the other implementation.
    """

    ours: Callable[[], Any]
    peer: Callable[[], Any]


class Bench(NamedTuple):
    """One registered benchmark.

    Attributes:
        make: prepares inputs, checks agreement, returns the arms.
        peer_name: what the peer is.
        target: the ratio peer / ours that is aimed at.
        unit: ``'s'`` (CPU time of a call), ``'MB'`` (growth of the peak),
            ``'ops'`` or ``'GB'`` (counts, which the arms return).
    """

    make: Callable[[], Arms]
    peer_name: str
    target: float
    unit: str


BENCHES: dict[str, Bench] = {}


def bench(
    name: str, peer_name: str, target: float, unit: str = 's'
) -> Callable:
    """Registers a function that returns :class:`Arms`."""

    def register(make: Callable[[], Arms]) -> Callable[[], Arms]:
        BENCHES[name] = Bench(make, peer_name, target, unit)
        return make

    return register


def race(arms: Arms, budget: float = 20.0) -> tuple[float, float]:
    """CPU seconds of one call of each arm: the minimum over rounds.

    Args:
        arms: called in turn, so that both see the same machine.
        budget: seconds after which no further round is started; at least
            two and at most thirty are run.
    """
    ours: list[float] = []
    peer: list[float] = []
    start = time.monotonic()
    while len(ours) < 2 or (
        len(ours) < 30 and time.monotonic() - start < budget
    ):
        for call, times in zip(arms, (ours, peer), strict=True):
            before = time.process_time()
            call()
            times.append(time.process_time() - before)
    return min(ours), min(peer)


def peak_growth(call: Callable[[], object]) -> float:
    """Megabytes by which this process grows during one call, at most.

    Linux with glibc only: what the allocator kept is given back and the
    kernel's record of the peak is reset before the call, so that preparing
    the inputs does not hide what the call needs.
    """
    gc.collect()
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')
    before = _resident('VmRSS')
    call()
    return _resident('VmHWM') - before


def _resident(name: str) -> float:
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{name}:')[1].split()[0]) / 1024


def peak_growth_of(name: str, arm: str) -> float:
    """The same, for one arm of a benchmark in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent), '--arm', name, arm],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def measure(name: str) -> dict:
    """Runs one benchmark.

    Returns:
        ``bench, ours, peer, ratio, unit, peer_name, threads``; the ratio is
        peer / ours, so more than 1 means that ours is better.
    """
    found = BENCHES[name]
    if found.unit == 'MB':
        ours, peer = (peak_growth_of(name, arm) for arm in Arms._fields)
    elif found.unit in ('ops', 'GB'):
        ours, peer = (call() for call in found.make())
    else:
        ours, peer = race(found.make())
    return {
        'bench': name,
        'ours': ours,
        'peer': peer,
        'ratio': peer / max(ours, 1e-9),
        'unit': found.unit,
        'peer_name': found.peer_name,
        'threads': torch.get_num_threads(),
    }


def write_line(path: Path, result: dict) -> None:
    """Appends one result to a ``.jsonl`` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        file.write(json.dumps(result) + '\n')
