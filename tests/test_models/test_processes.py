"""Several processes train as one does; all methods: `make soak`."""

import pytest

from tests.soak.processes import TOLERANCE, compare


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    found = compare(['mask2former'], 2, tmp_path)
    assert len(found) == 2
    for differences in found.values():
        assert max(differences.values()) < TOLERANCE
