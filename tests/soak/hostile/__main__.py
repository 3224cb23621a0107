"""Hostile input by recorded seeds: a result, or a sentence and exit code 2.

``python -m tests.soak.hostile --count 1000`` tries that many of each kind;
``--seed 17 --kinds images`` is one of them again. A data set, config or
checkpoint is made whole and then damaged, as nothing here is meant to break
other software.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
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


def try_kind(kind: str, seeds: range) -> tuple[Counter, list[str]]:
    """Exit codes of all cases, and what was wrong with others.

    Args:
        kind: of :data:`KINDS`.
        seeds: one for each case.
    """
    codes: Counter = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            try:
                code = KINDS[kind](random.Random(seed), Path(folder))
                codes[code] += 1
            except Fault as fault:
                faults.append(f'{kind}, seed {seed}: {fault}')
                print(faults[-1], file=sys.stderr, flush=True)
    return codes, faults


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
        start = time.process_time()
        codes, faults = try_kind(kind, seeds)
        words = ', '.join(f'{n} x code {c}' for c, n in sorted(codes.items()))
        spent = time.process_time() - start
        print(
            f'{kind}: {words}, {len(faults)} faults, {spent:.0f} s of CPU',
            flush=True,
        )
        wrong += len(faults)
    if args.made:
        for name, count in sorted(made.items()):
            print(f'{count:6} {name}')
    if wrong:
        raise SystemExit(f'{wrong} faults')


if __name__ == '__main__':
    main()
