"""Iterations of a CPU run, alone and beside another busy process.

Prints the table of docs/benchmarks.md for how long OpenMP's threads spin:
``python benchmarks/check_threads.py`` (six minutes, on a machine that has
nothing else to do, in a folder with ``data/scenes``, which ``make_scenes``
writes). Each cell trains a model of the demo for 35 iterations.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

SETTINGS = {
    "libgomp's default": {'GOMP_SPINCOUNT': '300000'},
    'as the tools set it': {},
    'passive': {'OMP_WAIT_POLICY': 'PASSIVE'},
    'one thread': {'OMP_NUM_THREADS': '1'},
}
INTERVAL, ROWS = 5, 7


def spin() -> None:
    while True:
        pass


@contextmanager
def busy(on: bool):
    """Another process that computes all the time."""
    other = multiprocessing.Process(target=spin, daemon=True)
    if on:
        other.start()
    try:
        yield
    finally:
        if on:
            other.kill()


def times(folder: Path) -> list[float]:
    """Seconds of an iteration, one for each line of the log so far."""
    found = list(folder.glob('*/vis_data/scalars.json'))
    if not found:
        return []
    lines = found[0].read_text().splitlines()
    return [json.loads(line)['time'] for line in lines]


def iteration(config: str, settings: dict[str, str], log: Path) -> float:
    """Median seconds of an iteration, the first lines left out.

    Args:
        config: name of a config.
        settings: environment variables of the run.
        log: gets what the run prints.
    """
    with tempfile.TemporaryDirectory() as folder, log.open('w') as out:
        run = subprocess.Popen(
            [
                *(sys.executable, '-m', 'mmseg_plugin', 'train', config),
                *('--work-dir', folder, '--no-report', '--cfg-options'),
                'train_cfg.val_interval=1000',
                f'default_hooks.logger.interval={INTERVAL}',
            ],
            env={**os.environ, **settings},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            while len(found := times(Path(folder))) < ROWS:
                if run.poll() is not None:
                    sys.exit(f'error: the run ended by itself, see {log}')
                time.sleep(1)
        finally:
            run.kill()
            run.wait()
        # The first iterations also load and allocate.
        return median(found[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default='maskdino_tiny_demo_scenes')
    parser.add_argument('--log', type=Path, default=Path('threads.log'))
    args = parser.parse_args()
    print('| OpenMP | alone | beside a busy process |\n| --- | --- | --- |')
    for name, settings in SETTINGS.items():
        row = []
        for other in (False, True):
            with busy(other):
                row.append(iteration(args.config, settings, args.log))
        cells = ' | '.join(f'{seconds:.2f} s' for seconds in row)
        print(f'| {name} | {cells} |', flush=True)


if __name__ == '__main__':
    main()
