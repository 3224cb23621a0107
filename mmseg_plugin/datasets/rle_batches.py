"""Compressed RLEs checked by the thousand."""

from collections.abc import Sequence

import numpy as np

# As many at once as keep the arrays in the processor's cache.
_BATCH = 256


def rles_fit(texts: Sequence[str], pixels: Sequence[int]) -> np.ndarray:
    """Which RLEs are whole and of their image's size, bool (n,).

    Those that :func:`checked_rle` takes; ask it what is wrong with others.

    Args:
        texts: COCO's compressed form of the runs.
        pixels: that the runs of each must add up to.
    """
    fits = np.zeros(len(texts), bool)
    for first in range(0, len(texts), _BATCH):
        part = slice(first, first + _BATCH)
        fits[part] = _fit(texts[part], np.asarray(pixels[part], np.int64))
    return fits


def _fit(texts: Sequence[str], pixels: np.ndarray) -> np.ndarray:
    """As :func:`rles_fit`; six bits a character, see `run_lengths`."""
    lengths = np.array([len(text) for text in texts])
    try:
        code = np.frombuffer(''.join(texts).encode('ascii'), np.uint8)
    except UnicodeEncodeError:
        return np.zeros(len(texts), bool)
    bits = code - np.uint8(48)
    if not lengths.all() or (bits > 63).any():
        return np.zeros(len(texts), bool)
    last = np.flatnonzero(bits < 32)
    heads = np.cumsum(lengths) - lengths
    if (bits[heads + lengths - 1] > 31).any():
        return np.zeros(len(texts), bool)
    first = np.append(0, last[:-1] + 1)
    digits = last - first + 1
    if digits.max() > 8:
        return np.zeros(len(texts), bool)
    steps = (bits[first] & 31).astype(np.int64)
    for digit in range(1, digits.max()):
        longer = np.flatnonzero(digits > digit)
        part = (bits[first[longer] + digit] & 31).astype(np.int64)
        steps[longer] += part << 5 * digit
    steps -= ((bits[last] & 16) >> 4).astype(np.int64) << 5 * digits
    begins = np.searchsorted(first, heads)
    runs = _summed(steps, begins)
    return (np.add.reduceat(runs, begins) == pixels) & (
        np.minimum.reduceat(runs, begins) >= 0
    )


def _summed(steps: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Runs from their differences, of RLEs that begin at some places.

    An RLE has two chains of sums, over its places 1, 3, 5, ... and 2, 4,
    6, ...; here they run on through all RLEs, and what came before is taken
    off.
    """
    total = steps.copy()
    total[0::2] = steps[0::2].cumsum()
    total[1::2] = steps[1::2].cumsum()
    counts = np.diff(np.append(begins, len(steps)))
    odd = (np.arange(len(steps)) - np.repeat(begins, counts)) % 2 == 1
    before = np.where(begins > 0, total[begins - 1], 0)
    runs = total - np.where(
        odd, np.repeat(before, counts), np.repeat(total[begins], counts)
    )
    runs[begins] = steps[begins]
    return runs
