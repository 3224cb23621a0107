"""Text outside ASCII in pictures."""

import matplotlib.ft2font
import numpy as np
import pytest
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmseg_plugin.apis.segments import Segment
from mmseg_plugin.visualization import SegmentVisualizer, fonts
from mmseg_plugin.visualization.drawing import draw_segments, with_title
from mmseg_plugin.visualization.fonts import default_font, line, text_width
from mmseg_plugin.visualization.plots import Curve, Panel, save_plot

IMAGE = np.zeros((300, 400, 3), np.uint8)
# Names that differ in characters outside ASCII alone.
PAIRS = {
    'Latin': ('Käfer', 'Kåfer'),
    'Greek': ('αβγ', 'αβδ'),
    'Cyrillic': ('трещина', 'трещинь'),
    'Chinese': ('裂纹', '污点'),
    'Korean': ('균열', '얼룩'),
    'Thai': ('แตก', 'คราบ'),
}
DEJAVU = ('Latin', 'Greek', 'Cyrillic')
pairs = pytest.mark.parametrize('pair', PAIRS.values(), ids=PAIRS)
pytestmark = pytest.mark.filterwarnings('ignore:no font has')


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for caches in (line, fonts._font_for, fonts._bitmap):
        caches.cache_clear()
    yield
    line.cache_clear()
    fonts._font_for.cache_clear()
    fonts._bitmap.cache_clear()


@pytest.fixture(params=['every font', 'DejaVu alone'])
def at_hand(request, monkeypatch):
    if request.param == 'DejaVu alone':
        monkeypatch.setattr(fonts, '_package_fonts', lambda: iter(()))
        monkeypatch.setattr(fonts, '_system_fonts', lambda: iter(()))


@pairs
def test_labels_look_different(pair, at_hand):
    box = np.array([50.0, 50.0, 350.0, 250.0])
    scene = [Segment(0, None, box, 0.5)]
    one, two = (draw_segments(IMAGE, scene, [name], '') for name in pair)
    assert (one != two).any()


@pairs
def test_titles_look_different(pair, at_hand):
    one, two = (with_title(IMAGE, name) for name in pair)
    assert (one != two).any()


@pairs
def test_curves_look_different(pair, at_hand, tmp_path):
    files = [tmp_path / f'{i}.png' for i in range(2)]
    for name, file in zip(pair, files, strict=True):
        curve = Curve(name, np.arange(2), np.arange(2))
        save_plot([Panel(name, 'x', 'y', [curve])], file)
    assert files[0].read_bytes() != files[1].read_bytes()


@pairs
def test_mmdets_labels_look_different(pair, at_hand):
    pictures = []
    for name in pair:
        visualizer = SegmentVisualizer()
        visualizer.dataset_meta = {'classes': (name,)}
        sample = DetDataSample(
            pred_instances=InstanceData(
                bboxes=np.array([[50.0, 50.0, 350.0, 250.0]]),
                labels=np.zeros(1, int),
                scores=np.ones(1),
            )
        )
        visualizer.add_datasample('', IMAGE, sample, draw_gt=False)
        pictures.append(visualizer.get_image())
    assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize('script', DEJAVU)
def test_the_font_that_always_is_there(script, monkeypatch):
    for name in PAIRS[script]:
        assert line(name) == name
        assert line(name).runs == ((name, default_font()),)


def test_a_font_of_the_extra_is_taken(monkeypatch):
    """A stand-in for the package: a font whose characters are known."""
    characters = fonts._characters
    monkeypatch.setattr(fonts, '_package_fonts', lambda: iter(['cjk.ttc']))
    monkeypatch.setattr(
        fonts,
        '_characters',
        lambda font: (
            frozenset(map(ord, '裂纹'))
            if font == 'cjk.ttc'
            else characters(font)
        ),
    )
    fonts._font_for.cache_clear()
    assert line('裂纹').runs == (('裂纹', 'cjk.ttc'),)
    # Nothing is taken from it for what DejaVu has.
    assert line('crack').runs == (('crack', default_font()),)
    assert line('裂纹 0.5').runs == (
        ('裂纹 ', 'cjk.ttc'),
        ('0.5', default_font()),
    )


def test_without_a_font_numbers_and_a_sentence(monkeypatch):
    monkeypatch.setattr(fonts, '_package_fonts', lambda: iter(()))
    monkeypatch.setattr(fonts, '_system_fonts', lambda: iter(()))
    with pytest.warns(UserWarning, match=r'mmseg_plugin\[fonts\]'):
        assert line('a 裂') == 'a \\u88c2'


def test_what_is_no_text():
    assert text_width('', 11) == 0
    assert text_width('  ', 11) == 0
    assert line('two\nlines\tand\x07') == 'two lines and\\u0007'
    assert text_width('two\nlines', 11) == text_width('two lines', 11)
    assert with_title(IMAGE, 'x' * 1000).shape == (322, 400, 3)


def test_every_glyph_of_a_drawn_line_is_in_its_font():
    for name in sum(PAIRS.values(), ()):
        for text, font in line(name).runs:
            known = matplotlib.ft2font.FT2Font(font).get_charmap()
            assert {ord(c) for c in text if c != ' '} <= set(known)
