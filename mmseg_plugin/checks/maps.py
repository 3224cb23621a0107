"""Reads label maps, several at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WORKERS = 8


@dataclass(frozen=True)
class MapFacts:
    """What a label map holds.

    Attributes:
        path: the file.
        problem: ``''``, ``'missing'`` or why it cannot be read.
        mode: of Pillow.
        size: width and height in pixels.
        areas: value to its pixels.
    """

    path: Path
    problem: str = ''
    mode: str = ''
    size: tuple[int, int] = (0, 0)
    areas: dict[int, int] = field(default_factory=dict)


def read_maps(paths: list[Path]) -> list[MapFacts]:
    """Facts of label maps; colours are read as COCO's panoptic ids."""
    # Memory that annotation files alone do without; see difference_hash().
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(_read, paths))


def _read(path: Path) -> MapFacts:
    # Memory that annotation files alone do without; see difference_hash().
    from PIL import Image

    if not path.is_file():
        return MapFacts(path, 'missing')
    try:
        with Image.open(path) as image:
            values, size, mode = np.asarray(image), image.size, image.mode
    except Exception as error:  # noqa: BLE001  (decoders fail in any way)
        return MapFacts(path, f'{type(error).__name__}: {error}')
    if values.ndim == 3 and values.shape[2] < 3:
        values = values[..., 0]
    elif values.ndim == 3:
        red, green, blue = values[..., :3].astype(np.int64).transpose(2, 0, 1)
        values = red + 256 * green + 65536 * blue
    found, counts = np.unique(values, return_counts=True)
    areas = dict(zip(found.tolist(), counts.tolist(), strict=True))
    return MapFacts(path, '', mode, size, areas)


def places_where(
    facts: list[MapFacts], test: Callable[[MapFacts], str]
) -> list[str]:
    """Names of the readable maps for which ``test`` says something."""
    said = [(f.path.name, test(f)) for f in facts if not f.problem]
    return [f'{name}: {text}' for name, text in said if text]
