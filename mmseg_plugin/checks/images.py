"""Reads facts about image files, several at a time."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmseg_plugin.datasets.formats.building import orientation, shown_size

WORKERS = 8


@dataclass(frozen=True)
class ImageFacts:
    """What a file says about itself.

    Attributes:
        path: the file.
        problem: ``''``, ``'missing'`` or why it cannot be read.
        size: width and height in pixels as stored.
        shown: the same, turned by the orientation.
        mode: of Pillow, for instance ``'RGB'``.
        orientation: of EXIF; 1: as stored.
        digest: of the file's bytes.
        dhash: 64 bits of the picture, nearly equal for like ones.
    """

    path: Path
    problem: str = ''
    size: tuple[int, int] = (0, 0)
    shown: tuple[int, int] = (0, 0)
    mode: str = ''
    orientation: int = 1
    digest: str = ''
    dhash: int = 0


def read_facts(paths: list[Path]) -> list[ImageFacts]:
    """Facts of each file, in order; a bar shows the progress on terminals."""
    # Memory that checks of an annotation file alone do without.
    from concurrent.futures import ThreadPoolExecutor

    from tqdm import tqdm

    with ThreadPoolExecutor(WORKERS) as pool:
        work = pool.map(_facts, paths)
        bar = tqdm(work, 'images', len(paths), disable=None, leave=False)
        return list(bar)


def _facts(path: Path) -> ImageFacts:
    # Memory that annotation files alone do without; see difference_hash().
    from PIL import Image

    if not path.is_file():
        return ImageFacts(path, 'missing')
    try:
        with Image.open(path) as image:
            turned = orientation(image)
            # Decodes all of it: a truncated file raises.
            grey = np.asarray(image.convert('L'))
            size, shown = image.size, shown_size(image)
            mode = image.mode
    except Exception as error:  # noqa: BLE001  (decoders fail in any way)
        return ImageFacts(path, f'{type(error).__name__}: {error}')
    digest = hashlib.sha1(path.read_bytes()).hexdigest()
    return ImageFacts(
        path, '', size, shown, mode, turned, digest, difference_hash(grey)
    )


def difference_hash(grey: np.ndarray) -> int:
    """dHash: whether each of 8 x 8 cells is brighter than its left one.

    Args:
        grey: (h, w), uint8.
    """
    # Memory that checks of an annotation file alone do without.
    import cv2

    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    bits = small[:, 1:] > small[:, :-1]
    return int.from_bytes(np.packbits(bits).tobytes(), 'big')


def near_pairs(
    left: list[int], right: list[int], distance: int = 2
) -> list[tuple[int, int]]:
    """Places of hashes that differ in at most ``distance`` bits.

    Of ``distance + 1`` pieces of the hash one is then equal, so that only
    hashes with an equal piece are compared.
    """
    first = np.array(left, dtype=np.uint64)
    second = np.array(right, dtype=np.uint64)
    found: set[tuple[int, int]] = set()
    edges = np.linspace(0, 64, distance + 2).astype(int)
    for start, end in itertools.pairwise(edges):
        piece = np.uint64((1 << int(end - start)) - 1) << np.uint64(start)
        order = np.argsort(second & piece, kind='stable')
        sorted_pieces = (second & piece)[order]
        lows = np.searchsorted(sorted_pieces, first & piece, 'left')
        highs = np.searchsorted(sorted_pieces, first & piece, 'right')
        for place in np.flatnonzero(highs > lows):
            near = order[lows[place] : highs[place]]
            bits = (second[near] ^ first[place]).view(np.uint8)
            differ = np.unpackbits(bits.reshape(-1, 8), axis=1).sum(1)
            found |= {(int(place), int(j)) for j in near[differ <= distance]}
    return sorted(found)
