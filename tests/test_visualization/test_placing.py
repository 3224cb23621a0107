from itertools import combinations

import numpy as np

from mmseg_plugin.visualization.placing import Spot, place_labels

SIZE = (200, 300)


def test_labels_never_cover_each_other_nor_leave_the_picture():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 180, (60, 2))
    boxes = [Spot(x, y, x + 20, y + 15) for x, y in corners.tolist()]
    places = place_labels(boxes, [(40, 20)] * 60, 12, SIZE)
    spots = [place[1] for place in places if place]
    assert 20 < len(spots) <= 60
    for one, other in combinations(spots, 2):
        assert not one.meets(other)
    for spot in spots:
        assert 0 <= spot.x1 < spot.x2 <= SIZE[1]
        assert 0 <= spot.y1 < spot.y2 <= SIZE[0]


def test_the_best_place_and_text_come_first():
    box = Spot(50, 60, 90, 90)
    (first, second) = place_labels([box, box], [(30,), (30,)], 12, SIZE)
    assert first == (0, Spot(50, 48, 80, 60))
    assert second[1] != first[1]
    # The short text where the long one is wider than the picture.
    (place,) = place_labels([box], [(400, 20)], 12, SIZE)
    assert place[0] == 1


def test_no_room_and_no_text():
    assert place_labels([Spot(0, 0, 5, 5)], [()], 12, SIZE) == [None]
    assert place_labels([Spot(0, 0, 5, 5)], [(9,)], 12, (5, 5)) == [None]
