"""The worst and the best images, drawn beside their truth."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.evaluation.pairing import Pairs
from mmseg_plugin.reporting.html import paragraph, picture
from mmseg_plugin.reporting.matching import shown
from mmseg_plugin.reporting.records import ImageRecord, Region
from mmseg_plugin.reporting.view import JudgedView, Reader, RunView
from mmseg_plugin.visualization.colours import PALETTE
from mmseg_plugin.visualization.drawing import Style, draw_segments
from mmseg_plugin.visualization.panels import draw_panels

WORST, BEST = 4, 2
_HOW = {
    False: 'An object has one colour on both sides. Dashed: missed on the '
    'left; on the right no object, or one of another class. Quality is the '
    'PQ of the image, its classes counted together.',
    True: 'A class has one colour on both sides. Quality is the PQ of the '
    'regions of the image.',
}
# Width of a panel, in pixels.
_WIDTH = 700


def images(run: RunView) -> str:
    """Of the main kind of result."""
    kind = run.main
    if kind is None:
        return ''
    ranked = sorted(
        (
            (one.quality, number)
            for number, one in enumerate(kind.matched)
            if one.quality is not None
        ),
    )
    if not ranked:
        return paragraph('No image has an object.', 'note')
    worst = ranked[:WORST]
    best = [pair for pair in ranked[::-1][:BEST] if pair not in worst]
    # Where nothing is right none is better than another.
    best = [(value, number) for value, number in best if value > 0]
    parts = [paragraph(_HOW[kind.judged.kind == 'semantic'], 'soft')]
    for title, chosen in (('Worst', worst), ('Best', best)):
        if chosen:
            parts.append(f'<h3>{title}</h3>')
            parts += [_one(kind, n, value, run.read) for value, n in chosen]
    return ''.join(parts)


def _one(kind: JudgedView, number: int, quality: float, read: Reader) -> str:
    record, pairs = kind.judged.images[number], kind.matched[number]
    name = '/'.join(record.path.rsplit('/', 2)[-2:])
    said = f'{name}: quality {quality:.2f}'
    if kind.judged.kind != 'semantic':
        said += f', {_words(pairs)}'
    try:
        image = read(Path(record.path))
    except UserError as error:
        return paragraph(f'{said}; {error}', 'note')
    if image.shape[:2] != tuple(record.size):
        return paragraph(f'{said}; the image has another size now', 'note')
    return picture(draw(record, image, kind), said, said)


def _words(pairs: Pairs) -> str:
    counts = {
        'right': len(pairs.right),
        'of another class': len(pairs.confused),
        'missed': len(pairs.missed),
        'false': len(pairs.false),
    }
    return ', '.join(f'{n} {word}' for word, n in counts.items() if n)


def draw(
    record: ImageRecord, image: np.ndarray, kind: JudgedView
) -> np.ndarray:
    """Truth and results above the threshold, side by side."""
    found = [record.found[i] for i in shown(record, kind.threshold)]
    panels = {
        'ground truth': segments_of_regions(record.truth),
        'this model': segments_of_regions(found),
    }
    semantic = kind.judged.kind == 'semantic'
    return draw_beside(image, panels, kind.judged.classes, semantic)


def draw_beside(
    image: np.ndarray,
    panels: Mapping[str, Sequence[Segment]],
    classes: Sequence[str],
    semantic: bool,
) -> np.ndarray:
    """Panels side by side, no wider than a page has use for.

    Args:
        image: BGR (h, w, 3), uint8.
        panels: segments by title, the truth first.
        classes: name of each label.
        semantic: a class is a colour, and a region no object to be missed.
    """
    if semantic:
        drawn = np.concatenate(
            [
                draw_segments(
                    *(image, some, classes, title),
                    [Style(s.label % len(PALETTE)) for s in some],
                )
                for title, some in panels.items()
            ],
            axis=1,
        )
    else:
        several = len(panels) > 2
        drawn = draw_panels(image, panels, classes, True, several)
    scale = min(1.0, _WIDTH * len(panels) / drawn.shape[1])
    return cv2.resize(
        drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )


def segments_of_regions(regions: Sequence[Region]) -> list[Segment]:
    """What can be drawn of them."""
    found = [(region, region.segment()) for region in regions]
    return [s._replace(crowd=r.crowd) for r, s in found if s is not None]
