import mmengine.config.config
import pytest
from mmengine.config import Config
from yapf.yapflib import yapf_api

import mmseg_plugin.registry  # noqa: F401


@pytest.fixture
def formatted(monkeypatch):
    """Texts that yapf was given."""
    texts = []
    plain = yapf_api.FormatCode

    def format_code(text, *args, **kwargs):
        texts.append(text)
        return plain(text, *args, **kwargs)

    # Each stack imports it in its own way.
    for module in (yapf_api, mmengine.config.config):
        monkeypatch.setattr(module, 'FormatCode', format_code, raising=False)
    return texts


def new(depth):
    return Config({'model': {'type': 'One', 'depths': [depth, 2]}})


def test_a_config_is_formatted_once(formatted):
    texts = {new(1000).pretty_text for _ in range(3)}
    assert len(formatted) == len(texts) == 1
    assert Config.fromstring(texts.pop(), '.py').model == new(1000).model


def test_changes_are_seen(formatted):
    config = new(0)
    for depth in range(1001, 1011):
        config.model.depths[0] = depth
        text = config.pretty_text
        assert Config.fromstring(text, '.py').model.depths[0] == depth
    assert len(formatted) == 10
