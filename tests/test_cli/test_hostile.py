"""A few of the damaged files and command lines; thousands: `make soak`."""

import os
import random

import pytest

from tests.soak.hostile import (
    annotations,
    checkpoints,
    images,
    outcome,
)
from tests.soak.hostile.__main__ import KINDS, cases, survivable, try_kind

# Reading configs takes long the first time.
COUNTS = dict.fromkeys(KINDS, 40)
del COUNTS['configs']


@pytest.mark.parametrize('kind', COUNTS)
def test_a_result_or_a_sentence(kind, tmp_path):
    codes, faults = try_kind(cases(kind, range(COUNTS[kind]), tmp_path))
    assert not faults
    assert codes.total() == COUNTS[kind]
    # Some are refused, else nothing was damaged.
    assert codes[2]


def test_a_case_that_ends_its_process_is_a_fault(tmp_path, monkeypatch):
    def case(rng, folder):
        if rng.random() == random.Random(3).random():
            os._exit(5)
        return 2

    monkeypatch.setitem(KINDS, 'ends', case)
    codes, faults = try_kind(survivable('ends', range(6), tmp_path))
    assert codes == {2: 5}
    assert faults == ['ends, seed 3: its process ended: 5']


def test_every_kind_of_case_is_made(tmp_path, monkeypatch):
    made = outcome.made.copy()
    monkeypatch.setattr(outcome, 'made', made)
    made.clear()
    for seed in range(250):
        rng = random.Random(seed)
        annotations.hostile_file(rng)
        images.hostile_image(tmp_path / f'x{rng.choice(images.SUFFIXES)}', rng)
        path = tmp_path / 'x.pth'
        checkpoints.hostile_checkpoint(path, tmp_path / 'mark', rng)
    expected = {f'mask: {shape.__name__}' for shape in annotations.SHAPES}
    expected |= {f'box: {box}' for box in annotations.BOXES}
    expected |= {f'checkpoint: {kind}' for kind in checkpoints.KINDS}
    expected |= {f'image: {w} x {h}' for w, h in images.SIZES}
    expected |= {f'image: {mode}' for mode in images.MODES}
    expected |= {
        f'{kind} of bytes' for kind in ('cut', 'change', 'empty', 'noise')
    }
    expected |= {'image: EXIF orientation'}
    assert not expected - set(made)
