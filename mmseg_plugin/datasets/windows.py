"""Windows of resized images, without resizing what is cut away."""

import cv2
import numpy as np
from PIL import Image

_BILINEAR = Image.Resampling.BILINEAR
# Two passes pay where so many times the window's pixels would be made.
_WASTE = 1.5


def resized_window(
    image: np.ndarray,
    size: tuple[int, int],
    offset: tuple[int, int],
    window: tuple[int, int],
    backend: str,
) -> np.ndarray:
    """A window of a resized image: the same pixels as of the whole.

    Pillow enlarges along rows, then along columns, rounding in between. So
    columns outside the window are cut between the two passes, and rows that
    do not reach it before the first. Images that shrink are resized whole,
    as Pillow may turn the order round there; and OpenCV's are, in whose time
    nothing is gained.

    Args:
        image: uint8 (H, W, 3).
        size: height and width to resize to.
        offset: row and column of the window.
        window: its height and width, within the resized image.
        backend: ``'pillow'``, bilinear with antialiasing, or ``'cv2'``,
            bilinear without.

    Returns:
        uint8, of the window's size.
    """
    (height, width), (top, left) = size, offset
    rows = slice(top, top + window[0])
    columns = slice(left, left + window[1])
    if image.shape[:2] == size:
        return image[rows, columns]
    if backend == 'cv2':
        return cv2.resize(image, (width, height))[rows, columns]
    old_height, old_width = image.shape[:2]
    if (
        height < old_height
        or width < old_width
        or height * width < _WASTE * window[0] * window[1]
    ):
        whole = Image.fromarray(image).resize((width, height), _BILINEAR)
        return np.asarray(whole)[rows, columns]
    factor = old_height / height
    first = max(int(top * factor) - 2, 0)
    last = min(int((top + window[0]) * factor) + 3, old_height)
    strip = Image.fromarray(image[first:last])
    strip = strip.resize((width, last - first), _BILINEAR)
    strip = strip.crop((left, 0, left + window[1], last - first))
    if (first, last) != (0, old_height):
        # The second pass needs the old height to compute the same weights.
        whole = Image.new(strip.mode, (window[1], old_height))
        whole.paste(strip, (0, first))
        strip = whole
    strip = strip.resize((window[1], height), _BILINEAR)
    return np.asarray(strip.crop((0, top, window[1], top + window[0])))
