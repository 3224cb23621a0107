import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_plugin import stack


def test_nothing_is_wrong_here():
    assert stack.stack_problems(('mmengine', 'mmcv', 'mmdet', 'mmseg')) == []
    stack.check_stack()


@pytest.mark.parametrize(
    ('versions', 'sentence'),
    [
        ({}, 'onedl-mmengine is not installed'),
        ({'onedl-mmengine': '0.10.12'}, 'onedl-mmcv is not installed'),
        (
            {'mmengine': '0.10.7', 'mmcv': '2.1.0'},
            'mmdet is not installed',
        ),
        (
            {'mmengine': '0.10.7', 'mmcv': '1.7.2'},
            'mmcv 1.7.2 is older than 2.1.0',
        ),
    ],
)
def test_what_is_missing_is_said_with_its_fix(monkeypatch, versions, sentence):
    monkeypatch.setattr(stack, 'installed_version', versions.get)
    name = 'openmmlab' if 'mmengine' in versions else 'onedl'
    with pytest.raises(stack.StackError, match='pip install') as caught:
        stack.check_stack()
    assert sentence in str(caught.value)
    assert f'mmseg_plugin[{name}]' in str(caught.value)
    assert not isinstance(caught.value, ImportError)


def test_the_sentence_reaches_whoever_builds_from_a_registry():
    code = """
import mmseg_plugin.stack as stack
stack.installed_version = lambda name: '0.1'
from mmengine.registry import MODELS
MODELS.build(dict(type='mmseg_plugin.SoftDiceLoss'))
"""
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.returncode
    last = done.stderr.strip().splitlines()[-1]
    assert 'StackError' in last
    assert 'is older than' in last
    assert 'pip install' in last


def test_version_tuple():
    assert stack.version_tuple('2.1.0rc1+cpu') == (2, 1, 0)
    assert stack.version_tuple('0.10.12') > stack.version_tuple('0.10.7')


def test_extras_pin_what_the_code_names():
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[1] / 'setup.cfg')
    extras = config['options.extras_require']
    for name, found in stack.STACKS.items():
        pins = extras[name].split()
        for module, (distribution, version) in found.packages.items():
            requirement = f'{distribution}=={version}'
            if module == 'mmcv':
                assert found.mmcv == requirement
                requirement = found.plain_mmcv
            assert requirement in pins


def test_mmcv_without_operators_will_do(monkeypatch):
    versions = {'mmengine': '0.10.7', 'mmcv-lite': '2.1.0', 'mmdet': '3.3.0'}
    monkeypatch.setattr(stack, 'installed_version', versions.get)
    assert stack.stack_problems() == []
    versions['mmcv-lite'] = '2.0.1'
    assert stack.stack_problems() == ['mmcv 2.0.1 is older than 2.1.0']
