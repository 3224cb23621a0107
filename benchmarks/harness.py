"""Times two arms side by side: ours and a peer's, on the same inputs.

Speed: both arms in one process, interleaved, the minimum of the rounds by
the device's clock. Memory on a CPU: each arm alone in a fresh process, growth
of its peak.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from clocks import Clock, CPUClock

CPU = CPUClock()


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
        make: prepares inputs, checks agreement, returns the arms; called
            with the device if there are precisions.
        peer_name: what the peer is.
        target: the ratio peer / ours that is aimed at.
        unit: ``'s'`` (time of a call), ``'MB'`` (growth of the peak),
            ``'ops'`` or ``'GB'`` (counts, which the arms return).
        precisions: in which it is run on an accelerator, see
            :func:`precisions.precision`; none if it is about a CPU.
    """

    make: Callable[..., Arms]
    peer_name: str
    target: float
    unit: str
    precisions: Sequence[str] = ()

    def arms(self, device: torch.device) -> Arms:
        """Both arms on a device."""
        return self.make(device) if self.precisions else self.make()


BENCHES: dict[str, Bench] = {}


def bench(
    name: str,
    peer_name: str,
    target: float,
    unit: str = 's',
    precisions: Sequence[str] = (),
) -> Callable:
    """Registers a function that returns :class:`Arms`."""

    def register(make: Callable[..., Arms]) -> Callable[..., Arms]:
        BENCHES[name] = Bench(make, peer_name, target, unit, precisions)
        return make

    return register


def race(
    calls: Sequence[Callable[[], Any]],
    budget: float = 20.0,
    clock: Clock = CPU,
) -> list[float]:
    """Seconds of one call of each arm: the minimum over rounds.

    Args:
        calls: the arms, in turn, so that all see the same machine.
        budget: seconds after which no further round is started; at least
            two and at most thirty are run.
        clock: of the device that the arms use.
    """
    rounds: list[list[float]] = []
    start = time.monotonic()
    while len(rounds) < 2 or (
        len(rounds) < 30 and time.monotonic() - start < budget
    ):
        rounds.append([clock.seconds(call) for call in calls])
    return [min(times) for times in zip(*rounds, strict=True)]


def peak_growth_of(name: str, arm: str) -> float:
    """Megabytes that one arm of a benchmark needs in a fresh process."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent), '--arm', name, arm],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def measure(name: str) -> dict:
    """Runs one benchmark on the CPU.

    Returns:
        ``bench, ours, peer, ratio, unit, peer_name, threads``; the ratio is
        peer / ours, so more than 1 means that ours is better.
    """
    found = BENCHES[name]
    if found.unit == 'MB':
        ours, peer = (peak_growth_of(name, arm) for arm in Arms._fields)
    elif found.unit in ('ops', 'GB'):
        ours, peer = (call() for call in found.arms(CPU.device))
    else:
        ours, peer = race(found.arms(CPU.device))
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
