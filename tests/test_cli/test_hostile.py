"""A few of the damaged files and command lines; thousands: `make soak`."""

import random

import pytest

from tests.soak.hostile import (
    annotations,
    checkpoints,
    images,
    outcome,
)
from tests.soak.hostile.__main__ import KINDS, try_kind

# Reading configs takes long the first time.
COUNTS = dict.fromkeys(KINDS, 40)
del COUNTS['configs']


@pytest.mark.parametrize('kind', COUNTS)
def test_a_result_or_a_sentence(kind):
    codes, faults = try_kind(kind, range(COUNTS[kind]))
    assert not faults
    assert codes.total() == COUNTS[kind]
    # Some are refused, else nothing was damaged.
    assert codes[2]


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
