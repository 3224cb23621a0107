"""Writes text in any script: finds a font that has its characters."""

import contextlib
import warnings
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from PIL import Image, ImageDraw, ImageFont

# Packages of the extra `fonts`, both under the SIL Open Font License.
_PACKAGES = ('manimgx_fonts', 'manimgx_fonts_cjk')
_SUFFIXES = {'.ttf', '.otf', '.ttc'}


class Run(NamedTuple):
    """Part of a text that one font draws.

    Attributes:
        text: without breaks of lines.
        font: file of the font.
    """

    text: str
    font: str


class Line(str):
    """A text that its fonts can draw.

    Attributes:
        runs: parts of the text.
    """

    runs: tuple[Run, ...]

    def __new__(cls, runs: tuple[Run, ...]) -> 'Line':
        line = super().__new__(cls, ''.join(run.text for run in runs))
        line.runs = runs
        return line

    @property
    def families(self) -> list[str]:
        """The fonts as matplotlib asks for them, DejaVu Sans first."""
        fonts = [default_font(), *(run.font for run in self.runs)]
        return [_family(font) for font in dict.fromkeys(fonts)]


@cache
def _family(font: str) -> str:
    """Makes a font file known to matplotlib."""
    fontManager.addfont(font)
    return FontProperties(fname=font).get_name()


def default_font() -> str:
    """DejaVu Sans, which matplotlib ships: Latin, Greek, Cyrillic, ..."""
    return str(
        Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
    )


def _package_fonts() -> Iterator[str]:
    for name in _PACKAGES:
        spec = find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).iterdir()):
                if path.suffix.lower() in _SUFFIXES:
                    yield str(path)


def _system_fonts() -> Iterator[str]:
    yield from sorted({entry.fname for entry in fontManager.ttflist})


@cache
def _characters(font: str) -> frozenset[int]:
    """Code points that a font file has; none if it cannot be read."""
    try:
        return frozenset(FT2Font(font).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


@lru_cache(maxsize=4096)
def _font_for(wanted: frozenset[int]) -> str | None:
    """The first font that has all of these characters."""
    if wanted <= _characters(default_font()):
        return default_font()
    for fonts in (_package_fonts, _system_fonts):
        for font in fonts():
            # Glyphs of a last resort are boxes with numbers.
            if wanted <= _characters(font) and 'LastResort' not in font:
                return font
    return None


@lru_cache(maxsize=4096)
def line(text: str) -> Line:
    """A text in one line, with fonts that have its characters.

    Characters that no font has are written as their numbers, so that two
    texts never look alike; a warning says how to get a font.

    Args:
        text: any; breaks of lines become spaces.
    """
    text = ' '.join(text.split())
    text = ''.join(c if c.isprintable() else _number(c) for c in text)
    if font := _font_for(frozenset(map(ord, text.replace(' ', '')))):
        return Line((Run(text, font),))
    runs: list[Run] = []
    missing = ''
    for character in text:
        font = _font_for(frozenset([ord(character)]))
        if font is None:
            missing += character
            character = _number(character)
        font = font or default_font()
        # A space belongs to the word before it.
        if runs and (character == ' ' or font == runs[-1].font):
            runs[-1] = runs[-1]._replace(text=runs[-1].text + character)
        else:
            runs.append(Run(character, font))
    if missing:
        warnings.warn(
            f'no font has {missing!r} of {text!r}, which is written as '
            "numbers; run: pip install 'mmseg_plugin[fonts]'",
            stacklevel=2,
        )
    return Line(tuple(runs))


def set_line(place: Text, text: str, size: int | str) -> None:
    """Writes a text as it is into a plot: dollars begin no formula.

    Args:
        place: what matplotlib draws.
        text: what to write.
        size: points, or matplotlib's name of a size.
    """
    ready = line(text)
    place.set(text=str(ready), family=ready.families, parse_math=False)
    place.set_fontsize(size)


def _number(character: str) -> str:
    return f'\\u{ord(character):04x}'


@lru_cache(maxsize=64)
def _loaded(font: str, size: int) -> ImageFont.FreeTypeFont:
    loaded = ImageFont.truetype(font, size)
    # Fonts of all weights begin with the thinnest; others have no names.
    with contextlib.suppress(OSError, ValueError):
        loaded.set_variation_by_name('Regular')
    return loaded


@lru_cache(maxsize=1024)
def _bitmap(text: str, size: int) -> tuple[np.ndarray, int]:
    """Coverage of a text, (h, w) in [0, 1], and the row of its baseline."""
    x, places, boxes = 0.0, [], []
    for part, file in line(text).runs:
        font = _loaded(file, size)
        box = font.getbbox(part, anchor='ls')
        boxes.append(np.add(box, [x, 0, x, 0]))
        places.append((part, font, x))
        x += font.getlength(part)
    left, top = np.floor(np.min(boxes, axis=0)[:2]).astype(int).tolist()
    right, bottom = np.ceil(np.max(boxes, axis=0)[2:]).astype(int).tolist()
    shape = (max(right - left, 0), max(bottom - top, 0))
    if not all(shape):
        return np.zeros((0, 0), np.float32), 0
    image = Image.new('L', shape)
    drawing = ImageDraw.Draw(image)
    for part, font, start in places:
        corner = (start - left, -top)
        drawing.text(corner, part, fill=255, font=font, anchor='ls')
    return np.asarray(image, np.float32) / 255, -top


def text_width(text: str, size: int) -> int:
    """Pixels from the first to the last that a text takes.

    Args:
        text: what to write.
        size: of the font, in pixels.
    """
    return _bitmap(text, size)[0].shape[1]


def write(
    picture: np.ndarray, text: str, place: tuple[int, int], size: int
) -> None:
    """Writes in white; what is outside of the picture is left out.

    Args:
        picture: (h, w, 3), uint8, changed in place.
        text: what to write.
        place: column of the first pixel, row of the baseline.
        size: of the font, in pixels.
    """
    coverage, baseline = _bitmap(text, size)
    x, y = place[0], place[1] - baseline
    rows, columns = picture.shape[:2]
    coverage = coverage[
        max(-y, 0) : max(rows - y, 0), max(-x, 0) : max(columns - x, 0)
    ]
    height, width = coverage.shape
    x, y = max(x, 0), max(y, 0)
    part = picture[y : y + height, x : x + width]
    part += np.rint((255 - part) * coverage[..., None]).astype(np.uint8)
