"""The rules of CONTRIBUTING.md about sizes, held over the whole package."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = [
    path
    for folder in ('mmseg_plugin', 'tools', 'benchmarks', 'examples', 'tests')
    for path in sorted((ROOT / folder).rglob('*.py'))
    if '.mim' not in path.parts
]
PACKAGE = [path for path in CODE if path.is_relative_to(ROOT / 'mmseg_plugin')]
FILE_LINES = 400
FUNCTION_MEDIAN, FUNCTION_P90, FUNCTION_MOST = 13, 33, 62


def function_lines(path):
    """Lines of each function, with its docstring, without decorators."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.end_lineno - node.lineno + 1


def lengths():
    return sorted(n for path in PACKAGE for n in function_lines(path))


@pytest.mark.parametrize('path', CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_is_short(path):
    assert len(path.read_text().splitlines()) <= FILE_LINES


def test_functions_are_short():
    lines = lengths()
    assert statistics.median(lines) <= FUNCTION_MEDIAN
    assert lines[int(0.9 * len(lines))] <= FUNCTION_P90
    # Docstrings and long signatures of constructors included.
    assert lines[-1] <= FUNCTION_MOST
