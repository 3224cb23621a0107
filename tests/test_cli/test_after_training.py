import subprocess
import sys

import pytest

from mmseg_plugin.cli import after_training
from mmseg_plugin.cli.after_training import report_run, take_flag
from mmseg_plugin.cli.launch import work_dir_of


@pytest.fixture
def called(monkeypatch):
    commands = []

    def run(command, check, env):
        commands.append((command, env))
        return subprocess.CompletedProcess(command, len(commands) - 1)

    monkeypatch.setattr(after_training.subprocess, 'run', run)
    return commands


def test_a_failing_report_is_no_failure_of_the_run(called, tmp_path, capsys):
    for _ in range(2):
        report_run(tmp_path)
    assert [c[0][-2:] for c in called] == [['report', str(tmp_path)]] * 2
    printed = capsys.readouterr()
    assert printed.err.count('could not be written') == 1
    assert f'mmseg-plugin report {tmp_path}' in printed.err


def test_one_process_writes_it_alone(called, tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    report_run(tmp_path)
    assert called == []
    monkeypatch.setenv('RANK', '0')
    report_run(tmp_path)
    assert 'RANK' not in called[0][1]


def test_the_flag_is_not_handed_on(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['train', '--no-report', 'x.py'])
    assert take_flag('--no-report')
    assert sys.argv == ['train', 'x.py']
    assert not take_flag('--no-report')


def test_the_work_dir_of_a_run(monkeypatch, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text('model = dict()\n')
    monkeypatch.setattr(sys, 'argv', ['train', str(path)])
    assert str(work_dir_of(str(path))) == 'work_dirs/mine'
    path.write_text("model = dict()\nwork_dir = 'there'\n")
    assert str(work_dir_of(str(path))) == 'there'
    monkeypatch.setattr(sys, 'argv', ['train', str(path), '--work-dir=here'])
    assert str(work_dir_of(str(path))) == 'here'
