"""Many RLEs at once against one after the other."""

import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmseg_plugin.datasets.annotations import checked_rle
from mmseg_plugin.datasets.rle_batches import rles_fit


def fits_alone(text: str, size: tuple[int, int]) -> bool:
    try:
        checked_rle({'size': list(size), 'counts': text}, size, '')
    except ValueError:
        return False
    return True


def drawn(rng: np.random.Generator) -> tuple[str, tuple[int, int]]:
    """A mask: noise, a rectangle, empty or full; one in three is damaged."""
    size = (int(rng.integers(1, 400)), int(rng.integers(1, 400)))
    mask = np.zeros(size, np.uint8, order='F')
    kind = rng.integers(4)
    if kind == 0:
        mask[:] = rng.random(size) < 0.3
    elif kind == 1:
        mask[size[0] // 3 :, : size[1] // 2 + 1] = 1
    elif kind == 2:
        mask[:] = 1
    text = mask_utils.encode(mask)['counts'].decode()
    damage = rng.integers(12)
    place = rng.integers(len(text))
    if damage == 0:
        text = text[:place] + chr(rng.integers(48, 112)) + text[place + 1 :]
    elif damage == 1:
        text = text[:place]
    elif damage == 2:
        size = (size[0], size[1] + 1)
    elif damage == 3:
        text += 'o' * 9
    return text, size


@pytest.mark.parametrize('seed', range(3))
def test_as_one_after_the_other(seed):
    rng = np.random.default_rng(seed)
    cases = [drawn(rng) for _ in range(300)]
    alone = [fits_alone(*case) for case in cases]
    assert 0.1 < np.mean(alone) < 0.9
    # A damaged one takes its batch to the slow check: batches of one.
    one_by_one = [
        bool(rles_fit([text], [size[0] * size[1]])[0]) for text, size in cases
    ]
    assert one_by_one == alone
    whole = [case for case, fits in zip(cases, alone, strict=True) if fits]
    pixels = [size[0] * size[1] for _, size in whole]
    assert rles_fit([text for text, _ in whole], pixels).all()
    pixels[7] += 1
    assert np.flatnonzero(
        ~rles_fit([text for text, _ in whole], pixels)
    ).tolist() == [7]


@pytest.mark.parametrize('text', ['', ' ', 'é', 'P', 'ooooooooo1'])
def test_no_rle_at_all(text):
    assert not rles_fit(['1', text], [1, 1])[1]


def test_none():
    assert rles_fit([], []).shape == (0,)
