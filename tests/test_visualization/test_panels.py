import numpy as np

from mmseg_plugin.visualization import panels
from mmseg_plugin.visualization.panels import draw_panels, scored_panels
from tests.test_visualization.test_colours import LEFT, RIGHT, segment

IMAGE = np.full((40, 60, 3), 90, np.uint8)
CLASSES = ('cat', 'dog')


def test_missed_false_and_confused_are_marked(monkeypatch):
    seen = {}

    def record(image, segments, classes, title, styles):
        seen[title] = [style.mark for style in styles]
        return image

    monkeypatch.setattr(panels, 'draw_segments', record)
    invented = segment(0, slice(25, 35), slice(0, 15), 0.8)
    found = [LEFT._replace(label=1, score=0.9), invented]
    draw_panels(IMAGE, {'truth': [LEFT, RIGHT], 'it': found}, CLASSES, True)
    assert seen == {'truth': ['', 'missed'], 'it': ['cat as', 'false']}
    models = {'truth': [LEFT, RIGHT], 'it': found, 'other': []}
    draw_panels(IMAGE, models, CLASSES, True, of_models=True)
    assert seen == {
        'truth': ['', ''],
        'it': ['cat as', 'false', 'missed'],
        'other': ['missed', 'missed'],
    }
    draw_panels(IMAGE, {'one': [LEFT], 'two': found}, CLASSES, False)
    assert seen['two'] == ['', '']


def test_the_colour_of_an_object_is_in_both_panels():
    drawn = draw_panels(IMAGE, {'truth': [LEFT], 'it': [LEFT]}, CLASSES, True)
    half = (drawn.shape[1] - panels._GAP) // 2
    np.testing.assert_array_equal(
        drawn[22:, :half], drawn[22:, half + panels._GAP :]
    )
    missed = draw_panels(IMAGE, {'truth': [LEFT], 'it': []}, CLASSES, True)
    assert (missed[:, :half] != drawn[:, :half]).any()


def test_a_title_says_why_nothing_is_drawn():
    low, high = (LEFT._replace(score=score) for score in (0.1, 0.7))
    kinds = {'instances': [low, high], 'panoptic': [LEFT._replace(score=None)]}
    assert scored_panels(kinds, 0.3) == {**kinds, 'instances': [high]}
    (title,) = scored_panels({'instances': [low]}, 0.3)
    assert title == 'instances: none from 0.3 on, at best 0.10'
    assert scored_panels({'instances': []}, 0.3) == {'instances': []}
