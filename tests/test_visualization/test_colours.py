from itertools import combinations

import numpy as np
import pytest

from mmseg_plugin.apis.segments import Segment, box_of
from mmseg_plugin.visualization.colours import (
    PALETTE,
    pair_segments,
    shared_colours,
    spread_colours,
)

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009, severity 1.0, linear RGB.
DEFICIENCIES = {
    'none': np.eye(3),
    'deuteranopia': [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    'protanopia': [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def lab(colour, deficiency):
    """CIELAB of what an eye sees."""
    value = np.array(colour) / 255
    linear = np.where(
        value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4
    )
    seen = np.clip(np.asarray(deficiency) @ linear, 0, 1)
    ratio = TO_XYZ @ seen / TO_XYZ.sum(1)
    root = np.where(
        ratio > (6 / 29) ** 3,
        np.cbrt(ratio),
        ratio * (29 / 6) ** 2 / 3 + 4 / 29,
    )
    x, y, z = root
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize('name', DEFICIENCIES)
def test_colours_are_told_apart_by_every_eye(name):
    seen = [lab(colour, DEFICIENCIES[name]) for colour in PALETTE]
    nearest = min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))
    # A just noticeable difference is 2.3.
    assert nearest > 10


def test_red_and_green_would_not_do():
    red, green = (255, 22, 94), (5, 204, 114)
    apart = {
        name: np.linalg.norm(lab(red, eye) - lab(green, eye))
        for name, eye in DEFICIENCIES.items()
    }
    assert apart['deuteranopia'] < 0.1 * apart['none']


def segment(label, rows, columns, score=None, crowd=False):
    mask = np.zeros((40, 60), bool)
    mask[rows, columns] = True
    return Segment(label, mask, box_of(mask), score, crowd=crowd)


LEFT = segment(0, slice(5, 20), slice(0, 15))
RIGHT = segment(1, slice(5, 20), slice(40, 55))


def test_neighbours_have_their_own_colours():
    boxes = [np.array([x, 0, x + 9, 9]) for x in range(0, 140, 10)]
    colours = spread_colours(boxes)
    assert set(colours) == set(range(len(PALETTE)))
    for first, second in zip(colours, colours[1:], strict=False):
        assert first != second
    assert spread_colours([]) == []
    assert spread_colours(boxes[:3], [4, None, 4])[::2] == [4, 4]


def test_an_object_keeps_its_colour_in_every_panel():
    moved = segment(0, slice(6, 21), slice(1, 16), 0.9)
    other = segment(1, slice(25, 35), slice(0, 15), 0.8)
    mistaken = RIGHT._replace(label=0, score=0.5)
    truth, found = shared_colours(
        [[LEFT, RIGHT], [other, mistaken, moved]], (40, 60)
    )
    assert found[2] == truth[0]
    assert found[1] == truth[1]
    assert found[0] not in truth
    assert shared_colours([], (1, 1)) == []


def test_boxes_stand_in_for_masks():
    truth = [LEFT._replace(mask=None)]
    pairs = pair_segments(truth, [LEFT], (40, 60))
    assert len(pairs.right) == 1
    assert pair_segments([], [LEFT], (40, 60)).false == [0]
    group = [LEFT._replace(crowd=True)]
    assert pair_segments(group, [LEFT], (40, 60)) == ([], [], [], [])
