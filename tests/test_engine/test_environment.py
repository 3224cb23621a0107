import sys

import torch

from mmseg_plugin.engine.environment import environment


def test_a_run_starts_without_distutils(monkeypatch):
    """It left with Python 3.12; setuptools may be missing.

    tests/test_wheel.py trains without both.
    """
    monkeypatch.setitem(sys.modules, 'distutils', None)
    found = environment()
    assert 'distutils' in found.pop('Not listed')
    assert found['PyTorch'] == torch.__version__
    monkeypatch.undo()
    assert 'Not listed' not in environment()
