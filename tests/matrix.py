"""Sets up and tries every interpreter, torch and numpy; a table of it.

``make matrix`` runs it; any Python >= 3.10 can, nothing has to be installed.
Each cell begins with an empty folder and has no compiler: ``make setup``,
doctor, the wheel in an environment of its own, and the tests below. Rows go
to ``work_dirs/matrix``, where each cell has its log, and all that are known
into ``docs/install.md``.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.bare_path import bare_path  # noqa: E402

PAGE = ROOT / 'docs/install.md'
BEGIN, END = '<!-- make matrix -->', '<!-- end -->'
# Installing, operators, golden cases, and a training step of each method.
TESTS = (
    *('tests/test_tools/test_install_ops.py', 'tests/test_stack.py'),
    *('tests/test_ops', 'tests/test_golden.py'),
)
TRAINED = (
    *('mask_rcnn/mask-rcnn_tiny_fpn', 'efpn/mask-rcnn_tiny_efpn_joint'),
    *('panoptic_fcn/panoptic-fcn_tiny', 'ibs/panoptic-fcn-ibs_tiny'),
)
TRAINED_PANOPTIC = ('mask2former/mask2former_tiny', 'maskdino/maskdino_tiny')
# Packages that go with each numpy; 1.26 is the last of 1.
NUMPY = {
    '1.26': ('numpy==1.26.*', 'opencv-python<4.12'),
    '2': ('numpy>=2',),
}


class Cell(NamedTuple):
    """What is tried at once.

    Attributes:
        stack: ``'onedl'`` or ``'openmmlab'``.
        python: of an interpreter, e.g. ``'3.13'``.
        torch: version.
        numpy: key of :data:`NUMPY`.
    """

    stack: str
    python: str
    torch: str
    numpy: str

    @property
    def name(self) -> str:
        return (
            f'{self.stack}-py{self.python}-torch{self.torch}-numpy{self.numpy}'
        )

    def impossible(self) -> bool:
        """Whether a package of others forbids the cell."""
        old = self.numpy == '1.26'
        # onedl-mmsegmentation asks for numpy > 2; 1.26 has no wheel for 3.13.
        return old and (self.stack == 'onedl' or self.python == '3.13')


def tests() -> list[str]:
    """What pytest is given."""
    names = [f'{name}_demo_scenes.py' for name in TRAINED]
    names += [f'{name}_demo_scenes-panoptic.py' for name in TRAINED_PANOPTIC]
    case = 'tests/test_configs.py::test_loss_and_predict'
    return [*TESTS, *(f'{case}[{name}]' for name in names)]


def interpreter(version: str) -> str:
    """Path of a Python; pyenv has a script of bash in its place on PATH."""
    name = f'python{version}'
    command = [name, '-c', 'import sys; print(sys.executable)']
    try:
        return subprocess.check_output(command, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f'error: {name} does not run; install it, or --pythons')


class Trial:
    """One cell at work.

    Args:
        cell: what to try.
        folder: gets the environment, and the log beside it.
    """

    def __init__(self, cell: Cell, folder: Path) -> None:
        self.cell = cell
        self.log = folder / f'{cell.name}.log'
        self.venv = folder / cell.name
        self.python = self.venv / 'bin/python'
        limits = folder / f'{cell.name}.txt'
        limits.write_text('\n'.join(NUMPY[cell.numpy]))
        self.env = {
            **{k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
            'PATH': bare_path(folder / 'bin'),
            'PIP_CONSTRAINT': str(limits),
            'OMP_NUM_THREADS': '1',
        }
        self.env.pop('PYTHONDONTWRITEBYTECODE', None)

    def timed(self, *command: object) -> tuple[bool, float]:
        """Whether a command succeeds, and its seconds."""
        start = time.monotonic()
        with self.log.open('a') as log:
            print('$', *command, file=log, flush=True)
            done = subprocess.run(
                list(map(str, command)),
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return done.returncode == 0, time.monotonic() - start

    def run(self) -> dict[str, str]:
        """A row of the table; stops at the first step that fails."""
        self.log.unlink(missing_ok=True)
        shutil.rmtree(self.venv, ignore_errors=True)
        row = self.cell._asdict()
        for name, command in self.steps():
            done, seconds = self.timed(*command)
            row[name] = f'{seconds:.0f} s' if done else '**failed**'
            if not done:
                break
        lines = self.log.read_text().splitlines()
        row['result'] = lines[-1].strip('= ') if lines else ''
        return row

    def steps(self) -> list[tuple[str, tuple[object, ...]]]:
        cell, python = self.cell, self.python
        setup = (
            *('make', 'setup', f'STACK={cell.stack}', f'VENV={self.venv}'),
            f'PYTHON={interpreter(cell.python)}',
            f'TORCH=torch=={cell.torch}',
        )
        test = (
            python,
            '-m',
            'pytest',
            '-q',
            '-n',
            'auto',
            '--dist',
            'loadfile',
        )
        return [
            ('set-up', setup),
            ('doctor', (python, '-m', 'mmseg_plugin', 'doctor')),
            ('wheel', (*test, 'tests/test_wheel.py')),
            ('tests', (*test, *tests())),
        ]


COLUMNS = (
    *('stack', 'python', 'torch', 'numpy'),
    *('set-up', 'doctor', 'wheel', 'tests', 'result'),
)


def table(rows: list[dict[str, str]]) -> str:
    """The rows as Markdown."""
    lines = [COLUMNS, ('---',) * len(COLUMNS)]
    lines += [tuple(row.get(name, '') for name in COLUMNS) for row in rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def write_page(rows: list[dict[str, str]]) -> None:
    """Puts the table in the place of the last one."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f'{before}{BEGIN}\n\n{table(rows)}\n\n{END}{after}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stacks', nargs='+', default=['onedl', 'openmmlab'])
    parser.add_argument(
        '--pythons', nargs='+', default=['3.10', '3.11', '3.12', '3.13']
    )
    parser.add_argument('--torch', nargs='+', default=['2.13.0', '2.14.1'])
    parser.add_argument('--numpy', nargs='+', default=list(NUMPY))
    parser.add_argument(
        '--keep', action='store_true', help='do not remove environments'
    )
    args = parser.parse_args()
    folder = ROOT / 'work_dirs/matrix'
    folder.mkdir(parents=True, exist_ok=True)
    choice = product(args.stacks, args.pythons, args.torch, args.numpy)
    failed = False
    for cell in (Cell(*parts) for parts in choice):
        if cell.impossible():
            continue
        trial = Trial(cell, folder)
        row = trial.run()
        failed |= '**failed**' in row.values()
        print(*(row.get(name, '-') for name in COLUMNS), flush=True)
        (folder / f'{cell.name}.json').write_text(json.dumps(row))
        if not args.keep:
            shutil.rmtree(trial.venv, ignore_errors=True)
    found = [json.loads(p.read_text()) for p in sorted(folder.glob('*.json'))]
    write_page(found)
    sys.exit(failed)


if __name__ == '__main__':
    main()
