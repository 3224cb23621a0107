"""All query benchmarks on an accelerator, in limited time, in one report."""

import gc
import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from clocks import EventClock
from device_report import markdown
from goldens import check_goldens
from harness import BENCHES, Arms, race
from precisions import precision

from mmseg_plugin.benchmark.measure import reason
from mmseg_plugin.cli.cli import atomic_path

# Seconds in which rounds of one line are started.
ROUNDS = 3.0
# Share of the time that the golden cases may take.
GOLDENS = 0.3

Check = Callable[[torch.device, float], dict[str, Any]]


def measure_device(
    clock: EventClock,
    names: Sequence[str],
    out: Path,
    minutes: float,
    check: Check = check_goldens,
) -> None:
    """Writes ``OUT.json`` and ``OUT.md``, anew after each benchmark.

    Golden cases come first: figures of wrong numbers are worth nothing. No
    benchmark is started with less time left than the longest took so far.

    Args:
        clock: of the device.
        names: benchmarks; those about a CPU are left out.
        out: path of both files without a suffix.
        minutes: time for all of it.
        check: runs the golden cases, see :func:`check_goldens`.
    """
    start = time.monotonic()
    end = start + 60 * minutes
    report = facts(clock, minutes)
    report['goldens'] = check(clock.device, GOLDENS * 60 * minutes)
    longest = 0.0
    for name in names:
        if not BENCHES[name].precisions:
            continue
        before = time.monotonic()
        if before + longest > end:
            report['not_run'].append(name)
        else:
            for line in lines_of(name, clock):
                print(shown(line), flush=True)
                report['lines'].append(line)
        longest = max(longest, time.monotonic() - before)
        report['seconds'] = round(time.monotonic() - start, 1)
        write(report, out)
    write(report, out)
    print(f'\nwritten to {out}.json and {out}.md')


def facts(clock: EventClock, minutes: float) -> dict[str, Any]:
    """A report without results: where and how they are measured."""
    return {
        'device': clock.name,
        'torch': torch.__version__,
        'cuda': torch.version.cuda,
        'cudnn': torch.backends.cudnn.version(),
        'command': shlex.join(
            ['python', '-m', 'mmseg_plugin', 'bench', *sys.argv[1:]]
        ),
        'started': time.strftime('%Y-%m-%d %H:%M:%S'),
        'minutes': minutes,
        'seconds': 0.0,
        'goldens': {},
        'lines': [],
        'not_run': [],
    }


def lines_of(name: str, clock: EventClock) -> Iterator[dict[str, Any]]:
    """Results of one benchmark, one for each precision.

    Yields:
        ``bench, precision, peer_name``; ``ours`` and ``peer`` in seconds,
        ``ours_mb`` and ``peer_mb``, but of an arm that failed; ``failed``
        has the reasons.
    """
    found = BENCHES[name]
    head = {'bench': name, 'peer_name': found.peer_name}
    try:
        with precision('fp32', clock.device):
            arms = found.arms(clock.device)
    # Whatever it is, the other benchmarks are run.
    except Exception as error:
        arms, failed = None, {'both': reason(error)}
    for kind in found.precisions:
        if arms is None:
            yield {**head, 'precision': kind, 'failed': failed}
            continue
        with precision(kind, clock.device):
            yield {**head, 'precision': kind, **raced(arms, clock)}


def raced(arms: Arms, clock: EventClock) -> dict[str, Any]:
    """Time and memory of each arm that works, and why the other does not."""
    working, failed = {}, {}
    for arm, call in arms._asdict().items():
        # The first call chooses kernels and fills caches.
        try:
            clock.seconds(call)
        except Exception as error:
            failed[arm] = reason(error)
        else:
            working[arm] = call
    result: dict[str, Any] = {'failed': failed}
    if working:
        times = race([*working.values()], ROUNDS, clock)
        result |= dict(zip(working, times, strict=True))
    gc.collect()
    result |= {f'{arm}_mb': clock.peak(call) for arm, call in working.items()}
    return result


def shown(line: dict[str, Any]) -> str:
    """A line for the terminal."""
    text = f'{line["bench"]:32} {line["precision"]:5}'
    for arm in Arms._fields:
        if arm in line:
            text += f' {arm} {line[arm]:.4g} s, {line[f"{arm}_mb"]:.0f} MB;'
    for arm, why in line['failed'].items():
        text += f' {arm} failed: {why};'
    return text.rstrip(';')


def write(report: dict[str, Any], out: Path) -> None:
    """Both files, each whole or not at all."""
    for suffix, text in (
        ('.json', json.dumps(report, indent=1) + '\n'),
        ('.md', markdown(report)),
    ):
        with atomic_path(out.with_name(out.name + suffix)) as path:
            path.write_text(text)
