"""What holds for everything the plugin registers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope, Registry

import mmseg_plugin.registry as plugin
from mmseg_plugin.models.losses.roi_mask_loss import RoIMaskLoss

ROOT = Path(__file__).parents[1]
REGISTRIES = [r for r in vars(plugin).values() if isinstance(r, Registry)]
OURS = [r for r in REGISTRIES if r.scope == 'mmseg_plugin']
for registry in OURS:
    registry.import_from_location()
REGISTERED = [
    pytest.param(registry.parent, name, cls, id=f'{registry.name}-{name}')
    for registry in OURS
    for name, cls in registry.module_dict.items()
]
everything = pytest.mark.parametrize(('parent', 'name', 'cls'), REGISTERED)
scopes = pytest.mark.parametrize('scope', ['mmdet', 'mmseg'])


@pytest.fixture(scope='module')
def used_names():
    files = [*ROOT.glob('tests/**/*.py'), *ROOT.glob('configs/**/*.py')]
    texts = [f.read_text() for f in files if f != Path(__file__)]
    return set(re.findall(r'\w+', '\n'.join(texts)))


def test_something_is_registered():
    assert len(REGISTERED) > 5


@everything
@scopes
def test_found_by_prefix_only(parent, name, cls, scope):
    with DefaultScope.overwrite_default_scope(scope):
        assert parent.get(f'mmseg_plugin.{name}') is cls
        # Absent, or a class of that name of mmdet or mmseg.
        assert parent.get(name) is not cls


@everything
def test_lives_in_the_plugin_under_its_own_name(parent, name, cls):
    assert cls.__module__.startswith('mmseg_plugin.')
    assert cls.__name__ == name
    assert name not in parent.module_dict


@everything
def test_is_in_a_test_or_a_config(parent, name, cls, used_names):
    # All losses of RoIs are tested by what they have in common.
    assert name in used_names or issubclass(cls, RoIMaskLoss)


@scopes
def test_unprefixed_name_is_a_key_error(scope):
    with (
        DefaultScope.overwrite_default_scope(scope),
        pytest.raises(KeyError, match='SoftDiceLoss is not in the'),
    ):
        MMENGINE_MODELS.build({'type': 'SoftDiceLoss'})


@pytest.mark.parametrize(
    'modules',
    [
        ('mmseg_plugin.models', 'mmdet.models', 'mmseg_plugin.registry'),
        ('mmdet.models', 'mmseg_plugin.registry', 'mmseg_plugin.models'),
    ],
)
def test_any_order_of_imports(modules):
    script = [f'import {name}' for name in modules]
    script += [
        'from mmengine.registry import MODELS',
        "found = MODELS.get('mmseg_plugin.SoftDiceLoss')",
        'from mmseg_plugin.models.losses import SoftDiceLoss',
        'assert found is SoftDiceLoss',
    ]
    subprocess.run([sys.executable, '-c', '\n'.join(script)], check=True)
