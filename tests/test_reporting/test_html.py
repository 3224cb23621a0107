import re

import numpy as np

from mmseg_plugin.reporting.html import (
    Section,
    curves,
    number,
    page,
    picture,
    table,
)
from mmseg_plugin.visualization.plots import Curve, Panel

NAME = '<b>"&'


def test_text_is_escaped_everywhere():
    made = table([NAME], [[NAME]], NAME) + picture(
        np.zeros((2, 3, 3), np.uint8), NAME, NAME
    )
    made += curves([Panel(NAME, 'x', 'y', [_line(NAME)])], NAME, NAME)
    assert NAME not in made
    assert '<b>' not in made


def _line(name):
    return Curve(name, np.arange(3), np.arange(3.0))


def test_what_is_not_known_is_a_dash():
    assert number(None) == number(float('nan')) == number(np.nan) == '–'
    assert number(1234) == '1,234'
    assert number(0.5) == '0.500'
    cells = table(['a'], [[float('nan')]], 'x')
    assert 'data-value=""' in cells


def test_a_page_needs_nothing_from_elsewhere_and_ids_are_its_own():
    drawing = curves([Panel('t', 'x', 'y', [_line('one')])], 'text')
    other = curves([Panel('t', 'x', 'y', [_line('one')])], 'text')
    text = page('title', '', [Section('One two', drawing + other)])
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert '@import' not in text
    assert 'url(http' not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', text):
        assert used in ids
    assert '<li><a href="#one-two">One two</a></li>' in text
    assert 'currentColor' in text
