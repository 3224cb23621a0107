import numpy as np

from mmseg_plugin.apis.segments import Segment, box_of
from mmseg_plugin.visualization import comparison
from mmseg_plugin.visualization.comparison import (
    Panel,
    draw_panoptic,
    draw_thing,
)

CAR, BUS = 0, 1
IMAGE = np.full((20, 40, 3), 100, np.uint8)


def segment(label, columns):
    mask = np.zeros((20, 40), bool)
    mask[5:15, columns] = True
    return Segment(label, mask, box_of(mask))


LEFT, MIDDLE = slice(0, 10), slice(10, 18)
TRUTH = [
    segment(CAR, LEFT),
    segment(CAR, MIDDLE),
    segment(BUS, slice(20, 40)),
]
BAR = 22


def test_things_are_numbered_by_class(monkeypatch):
    drawn = []

    def record(image, segments, names, title, styles):
        drawn.append([names[s.label] for s in segments])
        return image

    monkeypatch.setattr(comparison, 'draw_segments', record)
    road = segment(2, slice(18, 20))
    draw_panoptic(
        IMAGE,
        [Panel('a', [*TRUTH, road]), Panel('b', [])],
        ['car', 'bus', 'road'],
        ['car', 'bus'],
    )
    assert drawn == [['car 1', 'car 2', 'bus 1', 'road'], []]


def test_numbers_are_in_the_picture():
    """Two instances of a class are told apart by colour and label."""
    one, two = (
        draw_panoptic(IMAGE, [Panel('', parts)], ['car', 'bus'], ['car'])
        for parts in ([TRUTH[0]], TRUTH[:2])
    )
    assert one.shape == two.shape
    assert (one != two).any()


def test_the_most_confused_thing_is_shown():
    both = segment(CAR, slice(0, 18))
    first = Panel('first', [both, TRUTH[2]])
    second = Panel('second', TRUTH)
    picture = draw_thing(IMAGE, TRUTH, [first, second])
    assert picture.shape == (20 + BAR, 3 * 40, 3)
    truth, merged, right = np.split(picture[BAR:], 3, axis=1)
    dark = IMAGE[0, 0] // 2

    def painted(panel):
        # Blue does not change where paint is (0, 160, 255) and black is not.
        return (panel[:, :, 1] > dark[1]) & (panel[:, :, 1] < 255)

    # Of the two cars below one segment the larger; outlines are white.
    assert painted(truth)[10, 5]
    assert not painted(truth)[10, 14]
    assert painted(merged)[10, 5]
    assert painted(merged)[10, 14]
    assert painted(right)[10, 5]
    assert not painted(right)[10, 14]


def test_nothing_found_and_nothing_to_find():
    assert draw_thing(IMAGE, [], [Panel('', [])]) is None
    picture = draw_thing(IMAGE, TRUTH[:1], [Panel('', [TRUTH[2]])])
    # A segment of another class is not shown: the right panel is unpainted.
    assert (picture[BAR:, 40:] == IMAGE // 2)[10, 5].all()
