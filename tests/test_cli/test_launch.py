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


@pytest.mark.parametrize(
    'text',
    [
        "[Errno 2] No such file or directory: 'a b.png'",
        "[Errno 20] Not a directory: 'a b.png'",
    ],
)
def test_files_that_workers_miss_are_named(text):
    """Torch passes on all that a worker process printed, as one text."""
    told = (
        f'Caught FileNotFoundError in worker 0.\n  File "x"\nOSError: {text}'
    )
    for error in (FileNotFoundError(told + '\n'), OSError(2, 'x', 'a b.png')):
        sentence = launch.missing_file(error)
        assert sentence.startswith('a b.png cannot be found; start where')
    folder = IsADirectoryError(told.replace('[Errno 2]', '[Errno 21]'))
    assert 'is a folder, not a file' in launch.missing_file(folder)
    assert launch.missing_file(FileNotFoundError('checkpoint x')) == (
        'checkpoint x'
    )
