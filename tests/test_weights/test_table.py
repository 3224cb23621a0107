"""The shipped table."""

import re

import pytest

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import shipped_configs
from mmseg_plugin.converters import METHODS
from mmseg_plugin.converters.hugging_face import HF_METHODS
from mmseg_plugin.weights.table import LAYOUTS, find_weights, read_table

TABLE = read_table()


@pytest.mark.parametrize('weights', TABLE.values(), ids=lambda w: w.name)
def test_an_entry_names_what_there_is(weights):
    path = shipped_configs()[weights.config]
    assert path.parent.name == weights.method
    assert weights.layout in LAYOUTS
    assert weights.method in METHODS
    assert weights.layout != 'hf' or weights.method in HF_METHODS
    assert weights.task in ('instances', 'panoptic', 'semantic')
    assert weights.licence
    assert all(
        url.startswith('https://') for url in (weights.url, weights.page)
    )
    if weights.hash:
        hashes = r'sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{6,32}'
        assert re.fullmatch(hashes, weights.hash)
        # Publishers put it into the name.
        assert weights.hash.partition(':')[2] in weights.url


@pytest.mark.parametrize('weights', TABLE.values(), ids=lambda w: w.name)
def test_a_task_is_that_of_the_config(weights):
    panoptic = 'panoptic' in weights.config
    assert panoptic == (weights.task == 'panoptic')
    street = 'ade20k' in weights.config or 'cityscapes' in weights.config
    assert (street and not panoptic) == (weights.task == 'semantic')


@pytest.mark.parametrize('source', ['mask2former', 'maskformer'])
def test_published_files_are_not_for_commercial_use(source):
    named = [w for w in TABLE.values() if w.name.startswith(f'{source}/')]
    assert named
    assert all('CC-BY-NC-4.0' in weights.licence for weights in named)


def test_a_mistyped_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match='did you mean maskdino/r50_coco'):
        find_weights('maskdino/r50_cooc')
