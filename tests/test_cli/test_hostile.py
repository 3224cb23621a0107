"""A few of the damaged files and command lines; thousands: `make soak`."""

import pytest

from tests.soak.hostile.__main__ import try_kind


@pytest.mark.parametrize('kind', ['annotations', 'checkpoints', 'commands'])
def test_a_result_or_a_sentence(kind):
    codes, faults = try_kind(kind, range(40))
    assert not faults
    assert codes.total() == 40
    # Some are refused, else nothing was damaged.
    assert codes[2]
