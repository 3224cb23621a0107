import sys

import pytest

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.stack import STACKS
from tools import bootstrap


@pytest.fixture
def call(monkeypatch):
    # Restored after the test.
    monkeypatch.setenv('MMCV_WITH_OPS', '1')

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', ['bootstrap', *map(str, arguments)])
        bootstrap.main()

    return call


def test_needs_a_checkout(call, monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, 'ROOT', tmp_path)
    with pytest.raises(UserError, match='install_ops'):
        call('--venv', tmp_path / 'venv')
    assert list(tmp_path.iterdir()) == []


def test_names_the_network_where_that_is_the_cause(capsys):
    script = (
        'import sys; '
        'sys.exit("WARNING: NewConnectionError\\nERROR: No matching x")'
    )
    with pytest.raises(UserError) as caught:
        bootstrap.step('installing torch', sys.executable, '-c', script)
    assert str(caught.value).startswith(
        'installing torch failed: the package index cannot be reached;'
    )
    # All that pip said comes before.
    assert 'No matching x' in capsys.readouterr().err


@pytest.fixture
def steps(monkeypatch):
    """What would be run, each with its command."""
    steps = []

    def step(what, *command):
        steps.append((what, ' '.join(map(str, command))))

    monkeypatch.setattr(bootstrap, 'step', step)
    return steps


def test_what_is_there_is_kept(call, monkeypatch, steps, tmp_path):
    monkeypatch.setattr(bootstrap, 'works', lambda *_: True)
    call('--venv', tmp_path / 'venv')
    words = [what.split()[0] for what, _ in steps]
    assert sorted(words) == [
        'building',
        *['installing'] * 4,
        'looking',
    ]
    assert not any('torch==' in command for _, command in steps)
    assert '--compile' not in steps[-1][1]


def test_torch_with_an_index_of_its_own(call, monkeypatch, steps, tmp_path):
    monkeypatch.setattr(bootstrap, 'works', lambda *_: False)
    call('--venv', tmp_path / 'venv', '--torch', 'torch==2.9 --index-url x')
    with_index = [text for _, text in steps if '--index-url' in text]
    assert len(with_index) == 1
    assert with_index[0].endswith('torch==2.9 --index-url x')


def test_compiled_operators_are_asked_for(call, monkeypatch, steps, tmp_path):
    monkeypatch.setattr(bootstrap, 'works', lambda *_: False)
    call('--venv', tmp_path / 'venv', '--ops', 'compiled')
    assert ' torch ' in steps[-2][1]
    assert steps[-1][1].endswith('--compile')


def test_nothing_is_installed_that_was_not_built(call, monkeypatch, tmp_path):
    done = []

    def step(what, *command):
        done.append(what)
        if what.startswith('building'):
            raise UserError('no room')

    monkeypatch.setattr(bootstrap, 'step', step)
    monkeypatch.setattr(bootstrap, 'works', lambda *_: False)
    with pytest.raises(UserError, match='no room'):
        call('--venv', tmp_path / 'venv')
    assert not any('mmseg_plugin' in what for what in done)


@pytest.mark.parametrize('stack', STACKS)
def test_the_stack_comes_without_compiled_operators(stack):
    names = bootstrap.requirements(stack)
    assert len(names) == 4
    assert STACKS[stack].plain_mmcv in names
