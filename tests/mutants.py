"""Changes one thing in the code and sees whether a test notices.

``make mutants`` takes a random sample, as every mutant costs a run of the
tests that mirror its module. Survivors are listed in ``work_dirs/mutants``.
"""

import argparse
import ast
import copy
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Rooms where a wrong number hides, below the package.
ROOMS = (
    *('structures', 'evaluation', 'converters', 'apis', 'datasets'),
    *('models/losses', 'models/criterions', 'models/task_modules'),
    'models/fusion',
)
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


def tests_of(module: Path) -> Path | None:
    """The test file or folder that mirrors a module."""
    parts = module.relative_to(ROOT / 'mmseg_plugin').with_suffix('').parts
    folder = ROOT.joinpath('tests', *(f'test_{part}' for part in parts[:-1]))
    own = folder / f'test_{parts[-1]}.py'
    if own.is_file():
        return own
    return folder if folder.is_dir() else None


def _annotations(tree: ast.AST) -> set[ast.AST]:
    """Nodes that no run looks at: types, and texts in the place of code."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        for field in ('annotation', 'returns'):
            if part := getattr(node, field, None):
                found |= set(ast.walk(part))
        if isinstance(node, ast.Raise):
            found |= set(ast.walk(node))
    return found


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what is changed, and the changed source of each mutant."""
    tree = ast.parse(source)
    skipped = _annotations(tree)
    nodes = [node for node in ast.walk(tree) if node not in skipped]
    for node in nodes:
        for field, old, new in _changes(node):
            setattr(node, field, new)
            line = getattr(node, 'lineno', 0)
            yield line, ast.unparse(copy.deepcopy(node)), ast.unparse(tree)
            setattr(node, field, old)


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


def is_noticed(module: Path, source: str, tests: Path, limit: float) -> bool:
    """Whether tests fail, or never end, with another source of a module."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / 'repo'
        ignored = shutil.ignore_patterns('.*', 'work_dirs', '__pycache__')
        shutil.copytree(ROOT, copied, symlinks=True, ignore=ignored)
        mim = Path('mmseg_plugin', '.mim')
        shutil.copytree(ROOT / mim, copied / mim, symlinks=True)
        (copied / module.relative_to(ROOT)).write_text(source)
        command = [sys.executable, '-m', 'pytest', '-qx']
        command += ['-p', 'no:cacheprovider', str(tests.relative_to(ROOT))]
        try:
            done = subprocess.run(
                command, cwd=copied, capture_output=True, timeout=limit
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--room', choices=ROOMS, help='this one alone')
    parser.add_argument('--limit', type=float, default=600, help='seconds')
    args = parser.parse_args()
    found = [
        (module, tests, *mutant)
        for room in ([args.room] if args.room else ROOMS)
        for module in sorted((ROOT / 'mmseg_plugin' / room).glob('*.py'))
        if (tests := tests_of(module)) is not None
        for mutant in mutants(module.read_text())
    ]
    chosen = random.Random(args.seed).sample(
        found, min(args.count, len(found))
    )
    survivors = []
    sound: dict[Path, bool] = {}
    for number, (module, tests, line, change, source) in enumerate(chosen, 1):
        name = f'{module.relative_to(ROOT)}:{line}: {change}'
        # Tests that fail anyway would notice everything.
        if tests not in sound:
            own = module.read_text()
            sound[tests] = not is_noticed(module, own, tests, args.limit)
        if not sound[tests]:
            sys.exit(f'{tests.relative_to(ROOT)} fails without a mutant')
        noticed = is_noticed(module, source, tests, args.limit)
        if not noticed:
            survivors.append(name)
        word = 'noticed ' if noticed else 'SURVIVED'
        print(f'{number}/{len(chosen)} {word} {name}', flush=True)
    out = ROOT / 'work_dirs' / 'mutants'
    out.mkdir(parents=True, exist_ok=True)
    (out / 'survivors.json').write_text(json.dumps(survivors, indent=1))
    share = 1 - len(survivors) / max(len(chosen), 1)
    print(f'{share:.0%} of {len(chosen)} mutants of {len(found)} noticed')


if __name__ == '__main__':
    main()
