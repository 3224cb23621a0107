"""A shipped model, killed and resumed; ``make soak`` runs all of them."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_it_had_not_been():
    done = subprocess.run(
        [sys.executable, '-m', 'tests.soak.resume', 'mask_rcnn']
        + ['--workers', '2', '--iters', '4'],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert not done.returncode, done.stderr[-2000:]
    assert 'mask_rcnn, 2 workers: 0.0e+00' in done.stdout
