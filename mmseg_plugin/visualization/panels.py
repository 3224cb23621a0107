"""What models found in an image, beside what is there."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.visualization.colours import pair_segments, shared_colours
from mmseg_plugin.visualization.drawing import Style, draw_segments

MISSED, FALSE = 'missed', 'false'
# Pixels between two panels.
_GAP = 6


def scored_panels(
    kinds: Mapping[str, Sequence[Segment]], score_thr: float
) -> dict[str, list[Segment]]:
    """Results that score enough, by a title that says so where none does.

    Args:
        kinds: segments of each kind of result.
        score_thr: least score; segments without a score are kept.
    """
    panels = {}
    for kind, found in kinds.items():
        scores = [s.score for s in found if s.score is not None]
        title = kind
        if scores and max(scores) < score_thr:
            title += f': none from {score_thr:g} on, at best {max(scores):.2f}'
        panels[title] = [
            s for s in found if s.score is None or s.score >= score_thr
        ]
    return panels


def draw_panels(
    image: np.ndarray,
    panels: Mapping[str, Sequence[Segment]],
    classes: Sequence[str],
    has_truth: bool,
    of_models: bool = False,
) -> np.ndarray:
    """Panels side by side; an object has one colour in all of them.

    With a truth, its objects that the second panel misses are marked, and
    in the others what is no object.

    Args:
        image: see :func:`as_picture`.
        panels: segments by title.
        classes: name of each label.
        has_truth: the first panel is the truth.
        of_models: the others are of several models: each has the objects
            that it misses itself, marked, and the truth has no marks.
    """
    size = (image.shape[0], image.shape[1])
    titles, segments = list(panels), list(panels.values())
    colours = shared_colours(segments, size)
    styles = [[Style(c) for c in own] for own in colours]
    if has_truth and len(segments) > 1:
        truth = segments[0]
        for number, found in enumerate(segments[1:], 1):
            pairs = pair_segments(truth, found, size)
            for i in pairs.false:
                styles[number][i] = styles[number][i]._replace(mark=FALSE)
            for pair in pairs.confused:
                name = classes[truth[pair.truth].label]
                old = styles[number][pair.found]
                styles[number][pair.found] = old._replace(mark=f'{name} as')
            if of_models:
                segments[number] = [*found, *(truth[i] for i in pairs.missed)]
                styles[number] += [
                    styles[0][i]._replace(mark=MISSED) for i in pairs.missed
                ]
            elif number == 1:
                for i in pairs.missed:
                    styles[0][i] = styles[0][i]._replace(mark=MISSED)
    drawn = [
        draw_segments(image, found, classes, title, own)
        for title, found, own in zip(titles, segments, styles, strict=True)
    ]
    gap = np.full((drawn[0].shape[0], _GAP, 3), 255, np.uint8)
    apart = [part for one in drawn for part in (gap, one)]
    return np.concatenate(apart[1:], axis=1)
