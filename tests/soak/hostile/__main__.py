"""Hostile input by recorded seeds: a result, or a sentence and exit code 2.

``python -m tests.soak.hostile --count 1000`` tries that many of each kind;
``--seed 17 --kinds images`` is one of them again. A data set, config or
checkpoint is made whole and then damaged, as nothing here is meant to break
other software.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch

from tests.soak.hostile import (
    annotations,
    checkpoints,
    commands,
    configs,
    images,
)
from tests.soak.hostile.outcome import Fault, made, quiet

KINDS = {
    'annotations': annotations.case,
    'images': images.case,
    'configs': configs.case,
    'checkpoints': checkpoints.case,
    'commands': commands.case,
}

# Cases of a child; what they share (models, configs) is made by each.
AT_ONCE = 100
# Bytes of a child: a case that takes more is a fault, and harms nothing else.
MEMORY = 6 << 30
# How often each kind of case was made.
total: Counter[str] = Counter()

# Code of a case, or what was wrong with it; what it was made of.
Found = tuple[int | str, Counter[str]]


def cases(kind: str, seeds: Iterable[int], folder: Path) -> Iterator[Found]:
    """Tries one case after the other in this process."""
    for seed in seeds:
        made.clear()
        try:
            code = KINDS[kind](random.Random(seed), folder)
        except Fault as fault:
            yield f'{kind}, seed {seed}: {fault}', made.copy()
        else:
            yield code, made.copy()


def survivable(
    kind: str, seeds: Sequence[int], folder: Path
) -> Iterator[Found]:
    """:func:`cases` in children, as a case may end its process."""
    while seeds:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = os.fork()
        if not child:
            code = 1
            limits = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, limits[1]))
            try:
                for found in cases(kind, seeds[:AT_ONCE], folder):
                    theirs.send(found)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        theirs.close()
        done = 0
        with contextlib.suppress(EOFError):
            while True:
                yield ours.recv()
                done += 1
        if status := os.waitpid(child, 0)[1]:
            ended = os.waitstatus_to_exitcode(status)
            words = f'{kind}, seed {seeds[done]}: its process ended: {ended}'
            yield words, Counter()
            done += 1
        seeds = seeds[done:]


def try_kind(found: Iterable[Found]) -> tuple[Counter, list[str]]:
    """Exit codes of all cases, and what was wrong with others.

    Args:
        found: of :func:`cases` or :func:`survivable`.
    """
    codes: Counter = Counter()
    faults = []
    for outcome, kinds in found:
        total.update(kinds)
        if isinstance(outcome, str):
            faults.append(outcome)
            print(outcome, file=sys.stderr, flush=True)
        else:
            codes[outcome] += 1
    return codes, faults


def cpu_seconds() -> float:
    """Of all children."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--seed', type=int, help='one case of each kind')
    parser.add_argument('--kinds', nargs='+', default=list(KINDS))
    parser.add_argument(
        '--made', action='store_true', help='count what was wrong with cases'
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    quiet()
    seeds = range(args.count)
    if args.seed is not None:
        seeds = range(args.seed, args.seed + 1)
    wrong = 0
    for kind in args.kinds:
        start = cpu_seconds()
        with tempfile.TemporaryDirectory() as folder:
            codes, faults = try_kind(survivable(kind, seeds, Path(folder)))
        words = ', '.join(f'{n} x code {c}' for c, n in sorted(codes.items()))
        spent = cpu_seconds() - start
        print(
            f'{kind}: {words}, {len(faults)} faults, {spent:.0f} s of CPU',
            flush=True,
        )
        wrong += len(faults)
    if args.made:
        for name, count in sorted(total.items()):
            print(f'{count:6} {name}')
    if wrong:
        raise SystemExit(f'{wrong} faults')


if __name__ == '__main__':
    main()
