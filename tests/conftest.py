import subprocess
import sys

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def no_scope_left_behind():
    """A runner sets the default scope of its process and keeps it."""
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture
def run_tool(tmp_path):
    """Runs ``python -m mmseg_plugin ...`` in an empty folder."""

    def run(*arguments, **kwargs):
        return subprocess.run(
            [sys.executable, '-m', 'mmseg_plugin', *map(str, arguments)],
            capture_output=True,
            text=True,
            **{'cwd': tmp_path, **kwargs},
        )

    return run
