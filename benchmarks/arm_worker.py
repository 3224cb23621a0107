"""Times our arm of a benchmark of any checkout, a call for each line read.

First it says how many operators one call dispatches, after another one.
"""

import importlib
import sys
import time
from pathlib import Path

import torch
from launches import Launches

READY, TIME = 'ready', 'seconds'


def main() -> None:
    folder, name = sys.argv[1:]
    # Before this file's own folder, whose modules have the same names.
    sys.path.insert(0, folder)
    torch.set_num_threads(1)
    for path in sorted(Path(folder).glob('bench_*.py')):
        importlib.import_module(path.stem)
    found = importlib.import_module('harness').BENCHES[name]
    # Older checkouts know of one device only.
    if hasattr(found, 'arms'):
        call = found.arms(torch.device('cpu')).ours
    else:
        call = found.make().ours
    call()
    with Launches() as seen:
        call()
    print(READY, seen.count, flush=True)
    for _ in sys.stdin:
        before = time.process_time()
        call()
        print(TIME, time.process_time() - before, flush=True)


if __name__ == '__main__':
    main()
