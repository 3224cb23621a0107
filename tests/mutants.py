"""Changes one thing in the code and sees whether a test notices.

``make mutants`` takes a random sample. A mutant costs those tests of the
folder that mirrors its module which call the changed function, up to the
first that fails. Survivors are listed in ``work_dirs/mutants``.
"""

import argparse
import ast
import copy
import importlib
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
# Rooms where a wrong number hides, below the package; and the tools.
ROOMS = (
    *('structures', 'evaluation', 'converters', 'apis', 'datasets'),
    *('datasets/formats', 'checks'),
    *('models/losses', 'models/criterions', 'models/task_modules'),
    *('models/fusion', 'tools'),
)
PACKAGE = 'mmseg_plugin'
# Where modules are tested beyond the folder that mirrors them.
WIDER = {
    'models': (
        'tests/test_golden.py',
        'tests/test_models/test_dense_heads/test_mask_dino_head.py',
        'tests/test_models/test_dense_heads/test_query_heads.py',
        'tests/test_models/test_dense_heads/test_query_heads_ibs.py',
        'tests/test_models/test_detectors/test_query_detector.py',
    ),
    'datasets': (
        'tests/test_checks/test_checks.py',
        'tests/test_evaluation/test_coco_instance_metric.py',
        'tests/test_evaluation/test_coco_panoptic_metric.py',
    ),
    'apis': (
        'tests/test_segmenter.py',
        'tests/test_tools/test_compare_runs.py',
        'tests/test_tools/test_names.py',
        'tests/test_tools/test_predict.py',
    ),
}
# Stands for all that a test calls in other processes.
OUTSIDE = ('', 0)
# Numbers of a data set, which only its files know better.
TABLES = ('street_classes', 'tables')
_SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def tests_of(module: Path) -> Path:
    """The folder with the tests that mirror a module's folder."""
    parts = module.parent.relative_to(ROOT).parts
    if parts[0] == PACKAGE:
        parts = parts[1:]
    return ROOT.joinpath('tests', *(f'test_{part}' for part in parts))


def _annotations(tree: ast.AST) -> set[ast.AST]:
    """Nodes that no run looks at: types, and texts in the place of code."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        for field in ('annotation', 'returns'):
            if part := getattr(node, field, None):
                found |= set(ast.walk(part))
        # Sentences, and zip's strict=True.
        if isinstance(node, ast.Raise) or getattr(node, 'arg', '') == 'strict':
            found |= set(ast.walk(node))
    return found


class Mutant(NamedTuple):
    """One change.

    Attributes:
        module: file of the package.
        line: of the change.
        defs: first lines of the functions around it, innermost first.
        change: the code around it, changed.
        source: the whole file, changed.
    """

    module: Path
    line: int
    defs: list[int]
    change: str
    source: str

    @property
    def name(self) -> str:
        """What it is called in lists."""
        where = self.module.relative_to(ROOT)
        return f'{where}:{self.line}: {self.change}'


def mutants(module: Path) -> Iterator[Mutant]:
    """Every change of a file."""
    tree = ast.parse(module.read_text())
    skipped = _annotations(tree)
    around = _functions(tree)
    nodes = [node for node in ast.walk(tree) if node not in skipped]
    for node in nodes:
        for field, old, new in _changes(node):
            setattr(node, field, new)
            line = getattr(node, 'lineno', 0)
            text = ast.unparse(copy.deepcopy(node))
            yield Mutant(module, line, around[node], text, ast.unparse(tree))
            setattr(node, field, old)


def _functions(
    node: ast.AST, outer: Sequence[int] = ()
) -> dict[ast.AST, list[int]]:
    """First lines of the functions around each node, as frames have them."""
    if isinstance(node, ast.FunctionDef):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        outer = [first, *outer]
    found = {node: list(outer)}
    for child in ast.iter_child_nodes(node):
        found |= _functions(child, outer)
    return found


def _changes(node: ast.AST) -> Iterator[tuple[str, object, object]]:
    """Fields of a node, what they hold, and what a mutant has there."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPS:
        yield 'op', node.op, _SWAPS[type(node.op)]()
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
        other = _SWAPS[type(node.ops[0])]()
        yield 'ops', node.ops, [other, *node.ops[1:]]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield 'op', node.op, ast.UAdd()
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield 'value', node.value, not node.value
        elif isinstance(node.value, int):
            yield 'value', node.value, node.value + 1
        elif isinstance(node.value, float):
            yield 'value', node.value, node.value + 0.4


class Recorder:
    """Notes which functions of the package each test calls."""

    def __init__(self) -> None:
        self.calls: dict[str, set[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        calls = self.calls[item.nodeid] = set()
        if 'run_tool' in getattr(item, 'fixturenames', ()):
            calls.add(OUTSIDE)
        ours = (str(ROOT / PACKAGE), str(ROOT / 'tools'))

        def trace(frame: FrameType, event: str, argument: object) -> None:
            code = frame.f_code
            if code.co_filename.startswith(ours):
                calls.add((code.co_filename, code.co_firstlineno))

        start = time.monotonic()
        sys.settrace(trace)
        yield
        sys.settrace(None)
        self.seconds[item.nodeid] = time.monotonic() - start


def run_tests(tests: list[str], limit: float, out: Path | None = None) -> bool:
    """Whether tests pass within a time, in a fork of this process.

    What takes long to import is here already; nothing of the package is.

    Args:
        tests: folders, files or single tests.
        limit: seconds.
        out: gets what a :class:`Recorder` notes.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        with open(os.devnull, 'w') as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
            command = ['-qx', '-m', 'not slow', '-p', 'no:cacheprovider']
            notes = Recorder()
            plugins = [] if out is None else [notes]
            code = pytest.main([*command, *tests], plugins)
            if out is not None:
                out.write_bytes(pickle.dumps((notes.calls, notes.seconds)))
            # Tests that ask for what is not installed have nothing to say.
            os._exit(code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


class Judge:
    """Writes mutants into a copy of the repository and runs tests on them."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, ...], tuple[dict, dict]] = {}
        self.written = 0

    def _calls(self, tests: tuple[str, ...]) -> tuple[dict, dict]:
        if tests not in self.known:
            with tempfile.NamedTemporaryFile() as notes:
                out = Path(notes.name)
                # Tests that fail anyway would notice everything.
                if not run_tests([*tests], 3600, out):
                    sys.exit(f'{", ".join(tests)}: fail without a mutant')
                self.known[tests] = pickle.loads(out.read_bytes())
        return self.known[tests]

    def _tests(
        self, mutant: Mutant, among: tuple[str, ...]
    ) -> tuple[list[str], float]:
        """Tests that run the changed function, fast ones first."""
        calls, seconds = self._calls(among)
        file = str(mutant.module)
        for first in mutant.defs:
            found = [t for t, seen in calls.items() if (file, first) in seen]
            if found:
                break
        else:
            # What runs on import: tests of whatever the file has.
            found = [
                test
                for test, seen in calls.items()
                if any(name == file for name, _ in seen)
            ]
        # What only tools call, which tests run in processes of their own.
        found = found or [t for t, seen in calls.items() if OUTSIDE in seen]
        found.sort(key=seconds.__getitem__)
        return found, 30 + 4 * sum(seconds[test] for test in found)

    def notices(self, mutant: Mutant) -> bool:
        """Whether a test fails."""
        places = [(str(tests_of(mutant.module)),)]
        places += [WIDER[p] for p in mutant.module.parts if p in WIDER]
        sound = mutant.module.read_text()
        for among in places:
            tests, limit = self._tests(mutant, among)
            self._write(mutant.module, mutant.source)
            try:
                if tests and not run_tests(tests, limit):
                    return True
            finally:
                self._write(mutant.module, sound)
        return False

    def _write(self, module: Path, source: str) -> None:
        module.write_text(source)
        # Bytecode is told apart by seconds and size alone.
        self.written += 1
        os.utime(module, (self.written, self.written))


def all_mutants(room: str) -> list[Mutant]:
    """Every change in a room."""
    folder = ROOT / ('' if room == 'tools' else PACKAGE) / room
    return [
        mutant
        for module in sorted(folder.glob('*.py'))
        if module.stem not in TABLES
        for mutant in mutants(module)
    ]


def sample(args: argparse.Namespace) -> tuple[list[Mutant], int]:
    """Chosen mutants, as many of each room, and how many there are."""
    found = {room: all_mutants(room) for room in args.rooms}
    draw = random.Random(args.seed)
    chosen = []
    for number, room in enumerate(args.rooms):
        share = args.count // len(args.rooms)
        share += number < args.count % len(args.rooms)
        chosen += draw.sample(found[room], min(share, len(found[room])))
    if args.again is not None:
        named = json.loads(args.again.read_text())
        chosen = [
            m for some in found.values() for m in some if m.name in named
        ]
    return chosen, sum(map(len, found.values()))


def judge(args: argparse.Namespace) -> None:
    """Runs the sample inside the copy."""
    for name in ('datasets', 'evaluation', 'models'):
        importlib.import_module(f'mmdet.{name}')
    chosen, total = sample(args)
    judging = Judge()
    survivors = []
    for number, mutant in enumerate(chosen, 1):
        noticed = judging.notices(mutant)
        if not noticed:
            survivors.append(mutant.name)
            args.out.write_text(json.dumps(survivors, indent=1))
        word = 'noticed ' if noticed else 'SURVIVED'
        print(f'{number}/{len(chosen)} {word} {mutant.name}', flush=True)
    share = 1 - len(survivors) / max(len(chosen), 1)
    print(f'{share:.0%} of {len(chosen)} mutants of {total} noticed')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--rooms', nargs='+', choices=ROOMS, default=ROOMS)
    parser.add_argument(
        '--again', type=Path, help='a list of survivors, in place of a sample'
    )
    parser.add_argument(
        '--out', type=Path, default='work_dirs/mutants/survivors.json'
    )
    args = parser.parse_args()
    if os.environ.get('MUTANTS_ROOT') == str(ROOT):
        return judge(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder).resolve() / 'repo'
        ignored = shutil.ignore_patterns('.*', 'work_dirs', '__pycache__')
        shutil.copytree(ROOT, copied, symlinks=True, ignore=ignored)
        mim = Path(PACKAGE, '.mim')
        shutil.copytree(ROOT / mim, copied / mim, symlinks=True)
        command = [sys.executable, str(copied / 'tests' / 'mutants.py')]
        command += [*sys.argv[1:], '--out', str(args.out.resolve())]
        if args.again is not None:
            command += ['--again', str(args.again.resolve())]
        roots = {'MUTANTS_ROOT': str(copied), 'PYTHONPATH': str(copied)}
        done = subprocess.run(command, cwd=copied, env={**os.environ, **roots})
    sys.exit(done.returncode)


if __name__ == '__main__':
    main()
