"""Command lines that were typed wrongly."""

import random
import re
import runpy
import shutil
from functools import cache
from pathlib import Path

from mmseg_plugin.__main__ import tool_paths
from tests.soak.hostile.outcome import Fault, note, outcome

WORDS = (
    *('', ' ', '-', '--', '-1', '0', 'x', 'x.py', 'x.json', '.', '..'),
    *('nothing/at/all', '1e9', 'nan', '--help=1', '--config', '=', '*', '~'),
    *('mask2former', 'mask2former_tiny_demo_scenes-panoptic', '{}', "'"),
)
# Do work without being given anything.
WITHOUT = {'bench', 'benchmark_zoo', 'bootstrap', 'demo', 'install_ops'}


@cache
def tools() -> dict[str, tuple[str, ...]]:
    """Name of each tool to its options."""
    return {
        name: tuple(re.findall(r"'(--[a-z][\w-]*)'", path.read_text()))
        for name, path in tool_paths().items()
        if name not in WITHOUT
    }


def case(rng: random.Random, folder: Path) -> int:
    """One command line, in an empty folder."""
    import os

    name = rng.choice(list(tools()))
    note(f'command: {name}')
    words = []
    for _ in range(rng.randint(1, 5)):
        option = rng.random() < 0.4 and tools()[name]
        words.append(rng.choice(option or WORDS))
    before = os.getcwd()
    empty = folder / 'empty'
    # What an earlier case made there.
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    os.chdir(empty)
    path = str(tool_paths()[name])
    try:
        main = runpy.run_path(path, run_name='hostile')['main']
        code = outcome(main, tuple(words), codes=(0, 1, 2))
    except Fault as fault:
        raise Fault(f'{name} {words}: {fault}') from fault
    finally:
        os.chdir(before)
    left = [p for p in empty.rglob('*') if p.is_file()]
    if code == 2 and left:
        raise Fault(f'{name} {words}: half-written {left[:3]}')
    return code
