import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mmseg_plugin.checks import Options, run_checks
from mmseg_plugin.checks.page import page
from tests.test_checks import broken

VOID = {'meta', 'img', 'br'}


class Balanced(HTMLParser):
    """Every tag is closed, and nothing is loaded or run."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        assert tag not in ('script', 'link')
        if tag not in VOID:
            self.open.append(tag)
        source = dict(attrs).get('src', 'data:')
        assert source.startswith('data:')

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def pictures(text):
    for code in re.findall(r'base64,([^"]+)"', text):
        data = np.frombuffer(base64.b64decode(code), np.uint8)
        yield cv2.imdecode(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize('maker', ['clean', 'panoptic', 'semantic'])
def test_every_finding_is_on_the_page(maker, tmp_path):
    snapshot = getattr(broken, maker)(tmp_path)
    table = next(t for t, make in broken.MAKERS if make.__name__ == maker)
    for number, change in enumerate(table.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        snapshot = getattr(broken, maker)(folder)
        if maker == 'clean':
            snapshot.reference = broken.other(folder)
        change(snapshot)
        found = run_checks(snapshot, Options(classes=None))
        text = page('data', [snapshot], [found])
        parser = Balanced()
        parser.feed(text)
        assert not parser.open
        for finding in found:
            assert f'>{finding.id}</a>' in text
        assert all(picture is not None for picture in pictures(text))


def test_the_object_is_drawn_and_names_are_escaped(tmp_path):
    snapshot = broken.clean(tmp_path)
    snapshot.annotations[0].update(area=1)
    snapshot.categories[0]['name'] = '<script>alert(1)</script>'
    snapshot.annotations[1].update(category_id=4)
    found = run_checks(snapshot, Options(few=10**6))
    text = page('a <b>', [snapshot], [found])
    assert '<script' not in text
    assert '&lt;script&gt;' in text
    assert 'a &lt;b&gt;' in text
    orange = [
        np.abs(picture.astype(int) - (0, 159, 230)).sum(-1).min()
        for picture in pictures(text)
    ]
    assert min(orange) < 120
