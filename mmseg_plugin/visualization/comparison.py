"""Pictures of the panoptic results of several models for one image."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.visualization.colours import shared_colours
from mmseg_plugin.visualization.drawing import (
    Style,
    as_picture,
    draw_segments,
    with_title,
)

# A prediction covers the things of which it has this share.
_COVERED_SHARE = 0.5
_PAINT = (0, 160, 255)
_OUTLINE = (255, 255, 255)


class Panel(NamedTuple):
    """One model's result, or the ground truth.

    Attributes:
        title: written above the picture.
        segments: of one image.
    """

    title: str
    segments: Sequence[Segment]


def draw_panoptic(
    image: np.ndarray,
    panels: Sequence[Panel],
    classes: Sequence[str],
    things: Sequence[str],
) -> np.ndarray:
    """Panels side by side; each thing has its own number.

    Two things of one label are thus one segment. What the other panels find
    of an object of the first has its colour.

    Args:
        image: see :func:`as_picture`.
        panels: what to draw.
        classes: name of each label.
        things: names that are counted, the others are regions.
    """
    drawn = []
    size = (image.shape[0], image.shape[1])
    colours = shared_colours([panel.segments for panel in panels], size)
    for (title, segments), own in zip(panels, colours, strict=True):
        seen: Counter[str] = Counter()
        names = []
        for segment in segments:
            name = classes[segment.label]
            seen[name] += 1
            names.append(f'{name} {seen[name]}' if name in things else name)
        numbered = [s._replace(label=i) for i, s in enumerate(segments)]
        styles = [Style(colour) for colour in own]
        drawn.append(draw_segments(image, numbered, names, title, styles))
    return np.concatenate(drawn, axis=1)


def draw_thing(
    image: np.ndarray,
    truth: Sequence[Segment],
    panels: Sequence[Panel],
) -> np.ndarray | None:
    """One thing of the ground truth and what each model finds for it.

    It is the thing whose prediction by the first model covers the most
    things, the largest of these. The thing is outlined; a prediction is the
    segment of its class with the most pixels in common, painted.

    Args:
        image: see :func:`as_picture`.
        truth: things of the ground truth; those with masks count.
        panels: the things that each model finds.

    Returns:
        Panels side by side, the thing first; None without any mask.
    """
    truth = [thing for thing in truth if thing.mask is not None]
    if not truth:
        return None
    size = image.shape[:2]
    masks = [thing.whole_mask(size) for thing in truth]
    first = [
        _found_for(t, m, panels[0]) for t, m in zip(truth, masks, strict=True)
    ]
    ranks = [
        (_covered(found, masks), mask.sum())
        for found, mask in zip(first, masks, strict=True)
    ]
    chosen = max(range(len(truth)), key=ranks.__getitem__)
    drawn = [_over_truth(image, masks[chosen], masks[chosen], 'ground truth')]
    for panel in panels:
        found = _found_for(truth[chosen], masks[chosen], panel)
        title = f'{panel.title}: covers {_covered(found, masks)}'
        drawn.append(_over_truth(image, masks[chosen], found, title))
    return np.concatenate(drawn, axis=1)


def _found_for(thing: Segment, mask: np.ndarray, panel: Panel) -> np.ndarray:
    """Mask of the segment of the thing's class that meets it most."""
    best, most = np.zeros_like(mask), 0
    for segment in panel.segments:
        if segment.label == thing.label:
            found = segment.whole_mask(mask.shape)
            common = np.count_nonzero(found & mask)
            if common > most:
                best, most = found, common
    return best


def _covered(found: np.ndarray, masks: Sequence[np.ndarray]) -> int:
    """Number of things that a prediction covers."""
    return sum(
        np.count_nonzero(found & mask) >= _COVERED_SHARE * mask.sum()
        for mask in masks
    )


def _over_truth(
    image: np.ndarray, truth: np.ndarray, found: np.ndarray, title: str
) -> np.ndarray:
    picture = as_picture(image) // 2
    picture[found] += (0.5 * np.array(_PAINT)).astype(np.uint8)
    contours, _ = cv2.findContours(
        truth.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(picture, contours, -1, _OUTLINE, 2)
    return with_title(picture, title)
