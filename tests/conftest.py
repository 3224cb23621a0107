import gc
import os

import pytest
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from tests import warm


@pytest.fixture(autouse=True)
def no_scope_left_behind():
    """A runner sets the default scope of its process and keeps it."""
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True)
def no_logger_left_behind():
    """A logger writes to the stream of the test that made it, then closed."""
    yield
    MMLogger._instance_dict.clear()


@pytest.fixture(autouse=True)
def no_number_of_workers_left_behind():
    """``train`` says how many there are by a variable of its process."""
    yield
    os.environ.pop('NUM_WORKERS', None)


def pytest_collection_finish():
    # Modules and tests stay; looking for garbage among them takes a second.
    gc.freeze()


@pytest.fixture
def run_tool(tmp_path, tmp_path_factory):
    """Runs ``python -m mmseg_plugin ...`` in an empty folder."""
    scratch = tmp_path_factory.mktemp('printed')

    def run(*arguments):
        return warm.run_tool(list(map(str, arguments)), tmp_path, scratch)

    return run
