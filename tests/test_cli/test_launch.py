"""What the tools set before mmdet's own run."""

import pytest

from mmseg_plugin.cli import launch


@pytest.mark.parametrize(
    ('cores', 'trainers', 'workers'),
    [(1, 1, 1), (2, 1, 2), (64, 1, 8), (64, 16, 4), (4, 8, 1)],
)
def test_workers_share_the_cores(cores, trainers, workers, monkeypatch):
    monkeypatch.setattr(
        launch.os, 'sched_getaffinity', lambda _: set(range(cores))
    )
    monkeypatch.setenv('LOCAL_WORLD_SIZE', str(trainers))
    assert launch.workers_of_cores() == workers
