"""Our arms of this checkout beside those of another one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from arm_worker import READY, TIME
from harness import BENCHES

from mmseg_plugin.cli.cli import UserError

HERE = Path(__file__).parent
ROUNDS = {'s': 7, 'MB': 5}


def compare(names: Sequence[str], other: Path) -> None:
    """Prints CPU time (the minimum of interleaved rounds) and memory (the
    median of fresh processes) of this checkout and of the other one; with
    the time, operators that a call dispatches, see :class:`Launches`.

    Args:
        names: benchmarks; counts are left out.
        other: root of the other checkout.

    Raises:
        UserError: no benchmarks are there, or not this one.
    """
    folders = [HERE, bench_folder(other)]
    row = '{:34} {:>9} {:>9} {:3} {:>7}'.format
    print(row('bench', 'this', 'other', '', 'change'))

    def show(name: str, unit: str, this: float, before: float) -> None:
        # Some do nothing in PyTorch.
        ratio = (this or 1) / (before or 1)
        change = f'{100 * (ratio - 1):+.1f}%'
        cells = f'{this:.4g}', f'{before:.4g}', unit, change
        print(row(name, *cells), flush=True)

    for name in names:
        unit = BENCHES[name].unit
        if unit not in ROUNDS:
            continue
        try:
            if unit == 'MB':
                show(name, unit, *megabytes(name, folders))
                continue
            times, operators = seconds(name, folders)
        except UserError as error:
            # The other build may not have it yet.
            print(error, flush=True)
            continue
        show(name, unit, *times)
        show(name, 'ops', *operators)


def bench_folder(checkout: Path) -> Path:
    """Where a checkout has its benchmarks."""
    for name in ('benchmarks', 'tools/bench'):
        if (checkout / name / 'harness.py').is_file():
            return (checkout / name).resolve()
    raise UserError(
        f'{checkout} has no benchmarks/harness.py: --against takes the root '
        'of a checkout of mmseg_plugin (git worktree add FOLDER COMMIT)'
    )


def environment(folder: Path) -> dict[str, str]:
    """That a process imports the package beside its benchmarks."""
    parents = {'benchmarks': 1, 'bench': 2}
    root = folder.parents[parents[folder.name] - 1]
    return {**os.environ, 'PYTHONPATH': str(root)}


def seconds(
    name: str, folders: Sequence[Path]
) -> tuple[list[float], list[int]]:
    """CPU seconds of one call in each checkout, in turn, and its operators."""
    workers = [
        subprocess.Popen(
            [sys.executable, str(HERE / 'arm_worker.py'), str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(folder),
            cwd=folder,
            text=True,
        )
        for folder in folders
    ]
    try:
        operators = [int(answer(worker, READY, name)) for worker in workers]
        rounds = [
            [timed(worker, name) for worker in workers]
            for _ in range(ROUNDS['s'])
        ]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    times = [min(times) for times in zip(*rounds, strict=True)]
    return times, operators


def timed(worker: subprocess.Popen, name: str) -> float:
    assert worker.stdin is not None
    worker.stdin.write('\n')
    worker.stdin.flush()
    return float(answer(worker, TIME, name))


def answer(worker: subprocess.Popen, word: str, name: str) -> str:
    """What follows a word at the start of the worker's next such line."""
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.startswith(word):
            return line[len(word) :]
    raise UserError(
        f'{name} does not run in both checkouts: run bench {name} in each'
    )


def megabytes(name: str, folders: Sequence[Path]) -> list[float]:
    """Growth of the peak of fresh processes, in turn."""
    rounds = [
        [peak(name, folder) for folder in folders] for _ in range(ROUNDS['MB'])
    ]
    return [median(peaks) for peaks in zip(*rounds, strict=True)]


def peak(name: str, folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, str(folder), '--arm', name, 'ours'],
        capture_output=True,
        env=environment(folder),
        cwd=folder,
        text=True,
    )
    if done.returncode:
        raise UserError(f'{name} does not run in {folder}')
    return float(done.stdout.split()[-1])
