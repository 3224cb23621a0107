"""Draws segments, from one big object to hundreds of small ones.

mmdet's own visualizer paints masks almost opaque and labels of one size over
them, which hides everything in a crowded image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.visualization.colours import PALETTE, spread_colours
from mmseg_plugin.visualization.fonts import text_width, write
from mmseg_plugin.visualization.placing import Spot, place_labels

# Longer side of a picture, in pixels, from which thin lines can be told apart.
_MIN_SIDE = 768
# Pixels of a picture of that size; larger ones have larger letters.
_LABEL, _TITLE, _TITLE_BAR = 12, 14, 22
# Left edge of a label, in the colour of its object; outline, and its dash.
_BAR, _LINE, _DASH = 4, 2, 8
_BLACK = (0, 0, 0)


def as_picture(image: np.ndarray) -> np.ndarray:
    """What a person sees of an image of any kind.

    Grey images become three equal channels; of more channels the first
    three are taken; values that are no bytes are stretched from their least
    to their largest.

    Args:
        image: shape (h, w) or (h, w, channels), any numbers.

    Returns:
        Shape (h, w, 3), uint8, channels in the order of ``image``.
    """
    if image.ndim == 2:
        image = image[..., None]
    image = image[..., :3] if image.shape[-1] > 2 else image[..., :1]
    if image.dtype != np.uint8:
        values = np.nan_to_num(image.astype(np.float64))
        least, most = values.min(), values.max()
        bytes_in_floats = least >= 0 and 1 < most <= 255
        if image.dtype.kind != 'f' or not bytes_in_floats:
            values = (values - least) * (255 / max(most - least, 1e-12))
        image = np.rint(values).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


class Style(NamedTuple):
    """How an object is drawn.

    Attributes:
        colour: index of :data:`PALETTE`.
        mark: written before its name, such as ``'missed'``; with a mark its
            outline is dashed.
    """

    colour: int
    mark: str = ''


def _scaled(size: int, picture: np.ndarray) -> int:
    """Pixels in a picture that is looked at as a whole, however large."""
    return round(size * max(1.0, max(picture.shape[:2]) / _MIN_SIDE))


def draw_segments(
    image: np.ndarray,
    segments: Sequence[Segment],
    classes: Sequence[str],
    title: str,
    styles: Sequence[Style] | None = None,
) -> np.ndarray:
    """Paints masks, boxes and labels; small images are enlarged first.

    A label is shortened, then left out, where it would be far wider than
    its object or cover another label.

    Args:
        image: see :func:`as_picture`; colours are drawn as BGR.
        segments: what to draw; large ones are drawn first.
        classes: name of each label.
        title: written above the picture.
        styles: of the segments; None chooses colours far apart.

    Returns:
        Picture, uint8, channels in the order of ``image``.
    """
    if styles is None:
        styles = [Style(c) for c in spread_colours([s.box for s in segments])]
    height, width = image.shape[:2]
    scale = max(1, round(_MIN_SIDE / max(height, width)))
    size = (width * scale, height * scale)
    picture = as_picture(image)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    drawn = sorted(
        zip(segments, styles, strict=True),
        key=lambda pair: -np.prod(pair[0].box[2:] - pair[0].box[:2]),
    )
    for segment, style in drawn:
        color = PALETTE[style.colour][::-1]
        if segment.mask is not None:
            _paint_mask(picture, segment, color, scale, bool(style.mark))
        else:
            corners = np.rint(segment.box * scale).astype(int).tolist()
            line = _scaled(_LINE, picture)
            cv2.rectangle(picture, corners[:2], corners[2:], color, line)
    _write_labels(picture, drawn, classes, scale)
    return with_title(picture, title)


def _paint_mask(
    picture: np.ndarray,
    segment: Segment,
    color: tuple[int, ...],
    scale: int,
    dashed: bool,
) -> None:
    """A filled mask with an outline, or a dashed outline alone."""
    assert segment.mask is not None
    start = [scale * place for place in segment.offset]
    large = segment.mask.repeat(scale, axis=0).repeat(scale, axis=1)
    if not dashed:
        height, width = large.shape
        x, y = start
        part = picture[y : y + height, x : x + width]
        part[large] = 0.55 * part[large] + 0.45 * np.array(color)
    contours, _ = cv2.findContours(
        large.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    line, dash = _scaled(_LINE, picture), _scaled(_DASH, picture)
    if not dashed:
        cv2.drawContours(picture, contours, -1, color, line, offset=start)
        return
    cv2.drawContours(picture, contours, -1, _BLACK, line + 1, offset=start)
    half = line // 2
    for contour in contours:
        points = contour[:, 0] + start
        for x, y in points[np.arange(len(points)) // dash % 2 == 0]:
            rows = slice(max(y - half, 0), y + half)
            picture[rows, max(x - half, 0) : x + half] = color


def _write_labels(
    picture: np.ndarray,
    drawn: Sequence[tuple[Segment, Style]],
    classes: Sequence[str],
    scale: int,
) -> None:
    """Small objects have no other place for their labels: they choose."""
    texts, boxes = [], []
    letter, bar = _scaled(_LABEL, picture), _scaled(_BAR, picture)
    for segment, style in reversed(drawn):
        name = ' '.join(filter(None, (style.mark, classes[segment.label])))
        forms = [name]
        if segment.score is not None:
            short = f'{segment.score:.2f}'
            forms = [f'{name} {short}', style.mark or short]
        box = Spot(*(int(v) for v in np.rint(segment.box * scale)))
        most = 1.5 * (box.x2 - box.x1)
        # A mark is what the picture is for.
        if style.mark:
            most = max(most, text_width(forms[0], letter))
        texts.append([t for t in forms if text_width(t, letter) <= most])
        boxes.append(box)
    widths = [[text_width(t, letter) + bar for t in some] for some in texts]
    size = (picture.shape[0], picture.shape[1])
    places = place_labels(boxes, widths, letter + bar - 1, size)
    for (_, style), forms, place in zip(
        reversed(drawn), texts, places, strict=True
    ):
        if place is not None:
            number, spot = place
            last = (spot.x2 - 1, spot.y2 - 1)
            cv2.rectangle(picture, spot[:2], last, _BLACK, -1)
            edge = (spot.x1 + bar // 2, spot.y2 - 1)
            color = PALETTE[style.colour][::-1]
            cv2.rectangle(picture, spot[:2], edge, color, -1)
            start = (spot.x1 + bar, spot.y2 - bar + 1)
            write(picture, forms[number], start, letter)


def with_title(picture: np.ndarray, title: str) -> np.ndarray:
    """The picture, uint8 (h, w, 3), below a bar with the title."""
    bar, letter, margin = (
        _scaled(size, picture) for size in (_TITLE_BAR, _TITLE, _BAR)
    )
    line = np.zeros((bar, picture.shape[1], 3), np.uint8)
    write(line, title, (margin, bar - margin - 2), letter)
    return np.concatenate([line, picture])
