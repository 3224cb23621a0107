"""The module that stands in for ``mmcv._ext``, and how Python finds it."""

import importlib
import os
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import mmcv.ops
import pytest
import torch

from mmseg_plugin.ops import ext, finder


def test_every_operator_that_mmcv_names_is_there():
    for path in Path(mmcv.ops.__file__).parent.glob('*.py'):
        text = path.read_text()
        start = text.find('load_ext(')
        if start < 0:
            continue
        call = text[start : text.index(')', start)]
        names = [x for x in call.split("'")[1::2] if x != '_ext']
        assert names, path
        assert all(hasattr(ext, name) for name in names)


def test_what_is_not_written_says_how_to_compile():
    with pytest.raises(NotImplementedError) as caught:
        ext.nms_rotated(torch.zeros(1, 5), torch.zeros(1), 0.5)
    assert 'nms_rotated' in str(caught.value)
    assert finder.COMPILE in str(caught.value)
    assert not hasattr(ext, '_private')


def test_a_compiled_module_is_preferred():
    order = sys.meta_path.index
    assert order(finder.PlainOps) > order(PathFinder)
    found = importlib.import_module('mmcv._ext')
    if not hasattr(found, 'PLAIN'):
        assert found.__file__.endswith('.so')


def test_other_names_are_left_alone():
    assert finder.PlainOps.find_spec('mmcv._extra') is None
    spec = finder.PlainOps.find_spec('mmcv._ext')
    assert spec.origin == ext.__file__


def test_mmdet_imports_and_works_without_compiled_operators():
    """As where none were built: whatever lies in mmcv's folder is hidden."""
    code = """
import sys
from importlib.machinery import PathFinder
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *args: (
    None if name == 'mmcv._ext' else find(name, *args)
)
import mmseg_plugin.ops.finder
import mmdet.models
import mmcv._ext, torch
from mmcv.ops import RoIAlign, get_compiler_version, nms
assert mmcv._ext.PLAIN
print(get_compiler_version())
boxes = torch.tensor([[0, 0, 8, 8.0], [0, 0, 8, 7]])
print(nms(boxes, torch.tensor([0.5, 0.6]), 0.5)[1].tolist())
"""
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'plain PyTorch' in done.stdout
    assert done.stdout.splitlines()[-1] == '[1]'


def test_the_start_of_python_stays_fast():
    """Nothing but the three small modules, above all not torch."""
    code = """
import sys
from importlib.machinery import PathFinder
before = set(sys.modules)
import mmseg_plugin.ops.finder
print(sorted(set(sys.modules) - before))
"""
    # Without site, which has done it already where the package is installed.
    done = subprocess.run(
        [sys.executable, '-S', '-c', code],
        env={**os.environ, 'PYTHONPATH': str(Path(ext.__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    names = ['mmseg_plugin', 'mmseg_plugin.ops', 'mmseg_plugin.ops.finder']
    assert done.stdout.strip() == str(names), done.stderr
