"""Kills a run at random moments and resumes it: ``--kills N --seed S``.

Every second kill falls inside a save, at a random write, fsync, rename or
removal. After each one the file that ``last_checkpoint`` names must be whole,
and the run must go on from it.
"""

import argparse
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from mmseg_plugin.engine.files import Disk, problem_of
from tests.toy_run import toy_runner

ITERS = 40


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(operation: int) -> list[int]:
    """This process dies in the given call to the disk, half done.

    Returns:
        How many calls are left until then, kept up to date.
    """
    left = [operation]

    def wrap(name):
        real = getattr(Disk, name)

        def call(*args):
            left[0] -= 1
            if left[0] == 0:
                if name == 'write':
                    file, data = args
                    file.write(bytes(data)[: len(data) // 2])
                    file.flush()
                die()
            real(*args)
            if left[0] == 1 and random.random() < 0.2:
                # Between two calls, the first of them done.
                die()

        return staticmethod(call)

    for name in ('write', 'fsync', 'replace', 'remove'):
        setattr(Disk, name, wrap(name))
    return left


def whole_life() -> tuple[int, float]:
    """Calls to the disk and seconds of a run that is left alone."""
    folder = Path(tempfile.mkdtemp())
    report = folder / 'report'
    child = os.fork()
    if child == 0:
        left = kill_at(10**9)
        start = time.monotonic()
        run(folder, None, {})
        spent = time.monotonic() - start
        report.write_text(f'{10**9 - left[0]} {spent}')
        os._exit(0)
    os.waitpid(child, 0)
    calls, spent = report.read_text().split()
    shutil.rmtree(folder)
    return int(calls), float(spent)


def run(folder: Path, operation: int | None, options: dict) -> None:
    """One life of the run, in a process of its own."""
    if operation is not None:
        kill_at(operation)
    runner = toy_runner(folder, ITERS, resume=True, checkpoint=options)
    load_or_resume = runner.load_or_resume

    def resumed() -> None:
        load_or_resume()
        (folder / 'started').write_text(str(runner.iter))

    runner.load_or_resume = resumed
    runner.train()


def live(
    folder: Path,
    inside: bool,
    rng: random.Random,
    options: dict,
    most: tuple[int, float],
) -> bool:
    """Starts a life and ends it; whether the run got to its end."""
    operation = rng.randint(1, most[0]) if inside else None
    child = os.fork()
    if child == 0:
        try:
            run(folder, operation, options)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    if not inside:
        time.sleep(rng.uniform(0, most[1]))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError('lost: a life ended with an error')
    return os.WIFEXITED(status)


def saved_iteration(folder: Path) -> int:
    """Of the file that ``last_checkpoint`` names, which must be whole."""
    record = folder / 'last_checkpoint'
    if not record.exists():
        return 0
    path = Path(record.read_text())
    problem = problem_of(path)
    if problem:
        raise RuntimeError(f'lost: {path} is named, but {problem}')
    return int(path.stem.split('_')[1])


def soak(kills: int, seed: int) -> dict[str, int]:
    """Counts of what happened.

    Raises:
        RuntimeError: a run or a named file was lost.
    """
    rng = random.Random(seed)
    counts = {'kills': 0, 'in_saves': 0, 'runs': 0, 'resumed': 0}
    folder = Path(tempfile.mkdtemp())
    known = 0
    most = whole_life()
    while counts['kills'] < kills:
        options = {'asynchronous': rng.random() < 0.3}
        started = folder / 'started'
        started.unlink(missing_ok=True)
        inside = 2 * counts['in_saves'] <= counts['kills']
        ended = live(folder, inside, rng, options, most)
        if started.exists() and int(started.read_text() or known) < known:
            raise RuntimeError('lost: a life started before the last save')
        counts['resumed'] += started.exists() and known > 0
        counts['kills'] += not ended
        counts['in_saves'] += inside and not ended
        known = saved_iteration(folder)
        if ended:
            counts['runs'] += 1
            shutil.rmtree(folder)
            folder = Path(tempfile.mkdtemp())
            known = 0
    shutil.rmtree(folder)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    # Lives begin as copies of this process: what is imported, is.
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), None, {})
    print(soak(args.kills, args.seed))


if __name__ == '__main__':
    main()
