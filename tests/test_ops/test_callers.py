"""Whatever mmdet's and mmseg's models call of mmcv is there."""

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import mmcv.ops
import pytest
from mmengine.registry import MODELS

from mmseg_plugin.ops import ext

# Of boxes that are rotated, in a module that is used for others.
NOT_CALLED = {'nms_rotated', 'nms_quadri'}


def files(package, pattern):
    folder = Path(importlib.import_module(package).__file__).parent
    return folder.glob(pattern)


def imported(package):
    """What the code of a package imports from mmcv.ops."""
    for path in files(package, '**/*.py'):
        if '.mim' in path.parts or 'mmcv.ops' not in path.read_text():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            module = getattr(node, 'module', None) or ''
            if isinstance(node, ast.ImportFrom) and 'mmcv.ops' in module:
                yield from (
                    getattr(mmcv.ops, x.name, None) for x in node.names
                )


def configured(package):
    """What the configs of a package give as a type."""
    for path in files(package, '.mim/configs/**/*.py'):
        for name in set(re.findall(r'type=[\'"](\w+)[\'"]', path.read_text())):
            yield MODELS.module_dict.get(name) or getattr(mmcv.ops, name, None)


def of_mmcv(found):
    # Functions of numpy 1 have no module.
    named = ((x, getattr(x, '__module__', None) or '') for x in found)
    return {x for x, module in named if module.startswith('mmcv.ops')}


@cache
def operators(module):
    """The compiled operators that a module of mmcv calls.

    Those of others that it is built on, too.
    """
    source = inspect.getsource(importlib.import_module(module))
    called = set(re.findall(r'ext_module\.(\w+)', source))
    for other in re.findall(
        r'^from (?:mmcv\.ops)?\.(\w+) import', source, re.M
    ):
        called |= operators(f'mmcv.ops.{other}')
    return called


@pytest.mark.parametrize('package', ['mmdet', 'mmseg'])
@pytest.mark.parametrize('walk', [imported, configured])
def test_every_operator_of_the_models_is_written(package, walk):
    for found in of_mmcv(walk(package)):
        called = operators(found.__module__)
        assert not called - set(ext.__all__) - NOT_CALLED, found


def test_the_walk_sees_what_is_called():
    ops = mmcv.ops
    assert {ops.batched_nms, ops.MaskedConv2d} <= set(imported('mmdet'))
    known = {ops.RoIAlign, ops.DeformConv2dPack, ops.DeformRoIPoolPack}
    assert {*known, ops.SAConv2d} <= set(configured('mmdet'))
    assert ops.PSAMask in set(imported('mmseg'))
    assert ops.SyncBatchNorm in set(configured('mmdet'))
    assert operators('mmcv.ops.nms') >= NOT_CALLED | {'nms', 'softnms'}
    assert 'deform_conv_forward' in operators('mmcv.ops.saconv')
