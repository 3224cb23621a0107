"""Draws segments, from one big object to hundreds of small ones.

mmdet's own visualizer paints masks almost opaque and labels of one size over
them, which hides everything in a crowded image.
"""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.visualization.fonts import text_width, write

# Longer side of a picture, in pixels, from which thin lines can be told apart.
_MIN_SIDE = 768
# Pixels.
_LABEL, _TITLE = 11, 14
_BLACK = (0, 0, 0)
_GOLDEN_RATIO = 0.618034


def _instance_color(index: int) -> tuple[int, ...]:
    # Steps of the golden ratio keep neighbouring hues apart.
    hue = index * _GOLDEN_RATIO % 1
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.75, 1))


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


def draw_segments(
    image: np.ndarray,
    segments: Sequence[Segment],
    classes: Sequence[str],
    title: str,
) -> np.ndarray:
    """Paints masks, boxes and labels; small images are enlarged first.

    A label is shortened, then left out, where it would be far wider than
    its object.

    Args:
        image: see :func:`as_picture`.
        segments: what to draw; large ones are drawn first.
        classes: name of each label.
        title: written above the picture.

    Returns:
        Picture, uint8, channels in the order of ``image``.
    """
    height, width = image.shape[:2]
    scale = max(1, round(_MIN_SIDE / max(height, width)))
    size = (width * scale, height * scale)
    picture = as_picture(image)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    in_order = sorted(segments, key=lambda s: -np.prod(s.box[2:] - s.box[:2]))
    for index, segment in enumerate(in_order):
        color = _instance_color(index)
        if segment.mask is not None:
            x, y = (scale * start for start in segment.offset)
            _paint_mask(picture[y:, x:], segment.mask, color, scale)
        corners = np.rint(segment.box * scale).astype(int).tolist()
        cv2.rectangle(picture, corners[:2], corners[2:], color, 1)
    for segment in in_order:
        _write_label(picture, segment, classes[segment.label], scale)
    return with_title(picture, title)


def _paint_mask(
    picture: np.ndarray, mask: np.ndarray, color: tuple[int, ...], scale: int
) -> None:
    """Paints a mask from the top left corner of the picture on."""
    large = mask.repeat(scale, axis=0).repeat(scale, axis=1)
    part = picture[: large.shape[0], : large.shape[1]]
    part[large] = 0.6 * part[large] + 0.4 * np.array(color)
    contours, _ = cv2.findContours(
        large.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    for contour in contours:
        part[contour[:, 0, 1], contour[:, 0, 0]] = color


def _write_label(
    picture: np.ndarray, segment: Segment, name: str, scale: int
) -> None:
    texts = [name]
    if segment.score is not None:
        texts = [f'{name} {segment.score:.2f}', f'{segment.score:.2f}']
    x, y, right = (int(v) for v in np.rint(segment.box[:3] * scale))
    for text in texts:
        width = text_width(text, _LABEL)
        if width <= 1.5 * (right - x):
            x = max(min(x, picture.shape[1] - width), 0)
            y = max(y, _LABEL + 1)
            corner = (x, y - _LABEL - 1)
            cv2.rectangle(picture, corner, (x + width, y + 1), _BLACK, -1)
            write(picture, text, (x, y - 2), _LABEL)
            break


def with_title(picture: np.ndarray, title: str) -> np.ndarray:
    """The picture, uint8 (h, w, 3), below a bar with the title."""
    bar = np.zeros((22, picture.shape[1], 3), np.uint8)
    write(bar, title, (4, 16), _TITLE)
    return np.concatenate([bar, picture])
