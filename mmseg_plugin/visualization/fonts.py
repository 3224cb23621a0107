"""Writes text in any script: finds a font that has its characters."""

import warnings
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from PIL import Image, ImageDraw, ImageFont

# Packages of the extra `fonts`, both under the SIL Open Font License.
_PACKAGES = ('manimgx_fonts', 'manimgx_fonts_cjk')
_SUFFIXES = {'.ttf', '.otf', '.ttc'}


class Line(str):
    """A text that its font can draw.

    Attributes:
        font: file of the font.
    """

    font: str

    def __new__(cls, text: str, font: str) -> 'Line':
        line = super().__new__(cls, text)
        line.font = font
        return line

    @property
    def properties(self) -> FontProperties:
        """The font, for matplotlib."""
        return FontProperties(fname=self.font)


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
    # Looks through the folders of the system when it is first imported.
    from matplotlib.font_manager import fontManager

    yield from sorted({entry.fname for entry in fontManager.ttflist})


@cache
def _characters(font: str) -> frozenset[int]:
    """Code points that a font file has; none if it cannot be read."""
    try:
        return frozenset(FT2Font(font).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def _has(font: str, wanted: frozenset[int]) -> bool:
    # A font whose glyphs are boxes with the number of a character.
    return 'LastResort' not in font and wanted <= _characters(font)


@lru_cache(maxsize=4096)
def line(text: str) -> Line:
    """A text in one line, with a font that has its characters.

    Characters that no font has are written as their numbers, so that two
    texts never look alike; a warning says how to get a font.

    Args:
        text: any; breaks of lines become spaces.
    """
    text = ' '.join(text.split())
    text = ''.join(c if c.isprintable() else _number(c) for c in text)
    wanted = frozenset(map(ord, text)) - {ord(' ')}
    if _has(default_font(), wanted):
        return Line(text, default_font())
    for fonts in (_package_fonts, _system_fonts):
        for font in fonts():
            if _has(font, wanted):
                return Line(text, font)
    known = _characters(default_font())
    warnings.warn(
        f'no font has all characters of {text!r}; those that are missing are '
        "written as numbers; run: pip install 'mmseg_plugin[fonts]'",
        stacklevel=2,
    )
    return Line(
        ''.join(c if ord(c) in known else _number(c) for c in text),
        default_font(),
    )


def set_line(place: Text, text: str, size: int | str) -> None:
    """Writes a text as it is into a plot: dollars begin no formula.

    Args:
        place: what matplotlib draws.
        text: what to write.
        size: points, or matplotlib's name of a size.
    """
    ready = line(text)
    place.set(text=str(ready), font=ready.properties, parse_math=False)
    place.set_fontsize(size)


def _number(character: str) -> str:
    return f'\\u{ord(character):04x}'


@lru_cache(maxsize=1024)
def _bitmap(text: str, size: int) -> tuple[np.ndarray, int]:
    """Coverage of a text, (h, w) in [0, 1], and the row of its baseline."""
    ready = line(text)
    font = ImageFont.truetype(ready.font, size)
    left, top, right, bottom = font.getbbox(ready, anchor='ls')
    shape = (max(int(right - left), 0), max(int(bottom - top), 0))
    if not all(shape):
        return np.zeros((0, 0), np.float32), 0
    image = Image.new('L', shape)
    ImageDraw.Draw(image).text(
        (-left, -top), ready, fill=255, font=font, anchor='ls'
    )
    return np.asarray(image, np.float32) / 255, int(-top)


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
