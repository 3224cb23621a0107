import sys

import pytest

from mmseg_plugin.cli.cli import UserError
from tools import bootstrap


@pytest.fixture
def call(monkeypatch):
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


def test_what_is_there_is_kept(call, monkeypatch, tmp_path):
    steps = []
    monkeypatch.setattr(bootstrap, 'works', lambda *_: True)
    monkeypatch.setattr(bootstrap, 'step', lambda what, *_: steps.append(what))
    call('--venv', tmp_path / 'venv')
    assert [step.split()[0] for step in steps] == ['installing', 'finding']
    assert 'torch' not in steps[0]
