import ast
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import FlexibleRunner

from mmseg_plugin.engine.checkpoint import load_file
from mmseg_plugin.engine.files import Disk, problem_of, write_text
from mmseg_plugin.engine.hooks import safe_checkpoint_hook as module
from tests.toy_run import toy_runner


def named(folder):
    return (folder / 'last_checkpoint').read_text()


def iteration(folder):
    return torch.load(named(folder), weights_only=False)['meta']['iter']


class Failing(Hook):
    """Breaks a call to the disk from an iteration on."""

    priority = 'HIGHEST'

    def __init__(self, monkeypatch, name, at, number=errno.ENOSPC):
        self.values = monkeypatch, name, at, number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        patch, name, at, number = self.values

        def fail(*args):
            raise OSError(number, os.strerror(number))

        if runner.iter == at:
            patch.setattr(Disk, name, staticmethod(fail))


class Raises(Hook):
    """Sends this process a signal at an iteration."""

    def __init__(self, number, at):
        self.number, self.at = number, at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            os.kill(os.getpid(), self.number)


def test_kills_lose_nothing():
    done = subprocess.run(
        [sys.executable, '-m', 'tests.soak.kills', '--kills', '12'],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert not done.returncode, done.stderr
    counts = ast.literal_eval(done.stdout.splitlines()[-1])
    assert counts['kills'] == 12
    assert counts['resumed'] > 2


@pytest.mark.parametrize('asynchronous', [False, True])
def test_rotation_keeps_the_newest(tmp_path, asynchronous):
    options = {'asynchronous': asynchronous, 'max_keep_ckpts': 2}
    toy_runner(tmp_path, 10, checkpoint=options).train()
    names = sorted(path.name for path in tmp_path.glob('*.pth*'))
    assert names == ['iter_10.pth', 'iter_9.pth']
    assert named(tmp_path) == str(tmp_path / 'iter_10.pth')
    assert iteration(tmp_path) == 10
    kept = torch.load(named(tmp_path), weights_only=False)['message_hub']
    assert kept['runtime_info']['keep_ckpt_ids'] == [9, 10]


def test_asynchronous_files_hold_the_state_of_their_iteration(tmp_path):
    files = []
    for asynchronous in (False, True):
        folder = tmp_path / str(asynchronous)
        options = {'asynchronous': asynchronous, 'max_keep_ckpts': -1}
        toy_runner(folder, 12, checkpoint=options).train()
        files.append([load_file(p) for p in sorted(folder.glob('*.pth'))])
    for one, two in zip(*files, strict=True):
        for key in ('state_dict', 'ema_state_dict'):
            for name, value in one[key].items():
                assert torch.equal(value, two[key][name]), name


class Calls(Hook):
    """Calls a function at an iteration."""

    def __init__(self, function, at):
        self.function, self.at = function, at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            self.function()


def test_asynchronous_writing_lets_the_next_steps_go_on(tmp_path, monkeypatch):
    """The disk does not answer before the second step after."""
    go_on = threading.Event()
    waited = []

    def fsync(number):
        waited.append(go_on.wait(20))

    monkeypatch.setattr(Disk, 'fsync', staticmethod(fsync))
    options = {'asynchronous': True}
    hooks = [Calls(go_on.set, 4)]
    toy_runner(tmp_path, 5, checkpoint=options, hooks=hooks).train()
    assert iteration(tmp_path) == 5
    assert waited
    assert all(waited)


@pytest.mark.parametrize('name', ['write', 'fsync', 'replace'])
def test_a_full_disk_stops_with_a_sentence(tmp_path, monkeypatch, name):
    hooks = [Failing(monkeypatch, name, 4)]
    with pytest.raises(
        OSError, match=r'iter_6.pth could not .*No space left .* is .*iter_3'
    ):
        toy_runner(tmp_path, 10, hooks=hooks).train()
    assert [p.name for p in tmp_path.glob('*.pth*')] == ['iter_3.pth']
    assert problem_of(tmp_path / 'iter_3.pth') is None
    assert named(tmp_path) == str(tmp_path / 'iter_3.pth')


def test_a_read_only_folder_lets_the_training_go_on(tmp_path, monkeypatch):
    hooks = [Failing(monkeypatch, 'write', 4, errno.EROFS)]
    runner = toy_runner(
        tmp_path, 10, hooks=hooks, checkpoint={'on_error': 'continue'}
    )
    runner.train()
    assert runner.iter == 10
    assert [p.name for p in tmp_path.glob('*.pth*')] == ['iter_3.pth']
    assert iteration(tmp_path) == 3


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def spoil_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def spoil_foreign(path):
    torch.save({'state_dict': {}}, path)


SPOILS = pytest.mark.parametrize(
    'spoil', [spoil_cut, spoil_bit, spoil_foreign, os.remove]
)


@SPOILS
def test_resume_takes_the_latest_whole_file(tmp_path, spoil, caplog):
    options = {'max_keep_ckpts': 2}
    toy_runner(tmp_path, 6, checkpoint=options).train()
    spoil(tmp_path / 'iter_6.pth')
    runner = toy_runner(tmp_path, 9, resume=True, checkpoint=options)
    said = []
    runner.logger.warning = said.append
    runner.logger.info = said.append
    runner.train()
    assert 'iter_6.pth is skipped: ' in said[0]
    assert f'Resuming from {tmp_path}/iter_3.pth' in said[1]
    assert iteration(tmp_path) == 9


@SPOILS
def test_no_whole_file_is_an_error(tmp_path, spoil):
    toy_runner(tmp_path, 3).train()
    spoil(tmp_path / 'iter_3.pth')
    with pytest.raises(ValueError, match=r'no checkpoint in .* is whole'):
        toy_runner(tmp_path, 6, resume=True).train()


@pytest.mark.parametrize('text', ['', '\0\0', 'a' * 999, '/nothing.pth'])
def test_a_record_that_names_no_file(tmp_path, text):
    folder = tmp_path / 'a run of two'
    toy_runner(folder, 3).train()
    (folder / 'last_checkpoint').write_text(text)
    link = tmp_path / 'link'
    link.symlink_to(folder)
    runner = toy_runner(link, 6, resume=True)
    runner.train()
    assert runner.train_loop._max_iters == runner.iter == 6
    assert named(folder) == f'{link}/iter_6.pth'
    (folder / 'iter_6.pth').unlink()
    (folder / 'last_checkpoint').write_text(text)
    with pytest.raises(ValueError, match=r'no checkpoint in .* is whole'):
        toy_runner(link, 9, resume=True).train()


def test_a_copied_run_goes_on_from_its_own_file(tmp_path):
    toy_runner(tmp_path / 'first', 3).train()
    shutil.copytree(tmp_path / 'first', tmp_path / 'second')
    toy_runner(tmp_path / 'first', 3, seed=1).train()
    runner = toy_runner(tmp_path / 'second', 6, resume=True)
    runner.train()
    assert runner._load_from == str(tmp_path / 'second/iter_3.pth')


def test_a_folder_in_the_place_of_a_checkpoint(tmp_path):
    (tmp_path / 'iter_6.pth').mkdir()
    with pytest.raises(IsADirectoryError, match=r'last whole one is .*_3.pth'):
        toy_runner(tmp_path, 9).train()
    assert iteration(tmp_path) == 3
    assert not list(tmp_path.glob('*.part'))


def test_resuming_without_any_file_starts(tmp_path):
    runner = toy_runner(tmp_path, 3, resume=True)
    runner.train()
    assert runner.iter == 3


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_signals_save_within_the_iteration(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        toy_runner(tmp_path, 40, hooks=[Raises(number, 6)]).train()
    assert caught.value.code == 75
    assert signal.getsignal(number) is before
    assert iteration(tmp_path) == 7
    runner = toy_runner(tmp_path, 10, resume=True)
    runner.train()
    assert runner.iter == 10


def test_processes_stop_together_where_they_ask(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, 'is_distributed', lambda: True)

    def another_has_seen_it(flag, operation):
        asked.append(int(flag))
        flag.fill_(1)

    monkeypatch.setattr(module, 'all_reduce', another_has_seen_it)
    runner = toy_runner(tmp_path, 40, checkpoint={'signal_interval': 5})
    with pytest.raises(SystemExit):
        runner.train()
    assert asked == [0]
    assert iteration(tmp_path) == 5


def test_the_best_is_replaced_when_the_next_is_whole(tmp_path, monkeypatch):
    options = {'save_best': 'acc', 'rule': 'greater'}
    runner = toy_runner(tmp_path, 3, checkpoint=options)
    runner.train()
    (hook,) = [h for h in runner.hooks if hasattr(h, 'save_best')]
    hook.after_val_epoch(runner, {'acc': 0.5})
    (first,) = tmp_path.glob('best_acc_*')

    def fail(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')

    runner.train_loop._iter += 1
    with monkeypatch.context() as patch:
        patch.setattr(Disk, 'replace', staticmethod(fail))
        with pytest.raises(OSError, match='No space left'):
            hook.after_val_epoch(runner, {'acc': 0.6})
    assert list(tmp_path.glob('best_acc_*')) == [first]
    hook.after_val_epoch(runner, {'acc': 0.7})
    (second,) = tmp_path.glob('best_acc_*')
    assert second != first
    assert problem_of(second) is None


def test_evaluation_alone_saves_nothing(tmp_path):
    options = {'save_best': 'acc', 'rule': 'greater'}
    runner = toy_runner(tmp_path, checkpoint=options, validate=True)
    assert runner.val() == {'acc': 0.5}
    assert not [*tmp_path.rglob('*.pth')]


def test_files_of_strategies_are_left_to_them():
    runner = FlexibleRunner.__new__(FlexibleRunner)
    with pytest.raises(ValueError, match='use CheckpointHook there'):
        module.SafeCheckpointHook(interval=1).before_run(runner)


def test_options_are_checked(tmp_path):
    with pytest.raises(ValueError, match="'stop' or 'continue', not 'go'"):
        toy_runner(tmp_path, checkpoint={'on_error': 'go'})


@pytest.mark.parametrize('name', ['write', 'fsync', 'replace'])
def test_a_failed_write_leaves_the_old_text(tmp_path, monkeypatch, name):
    path = tmp_path / 'text'
    write_text('old', path)

    def fail(*args):
        raise OSError(errno.EIO, 'broken')

    monkeypatch.setattr(Disk, name, staticmethod(fail))
    with pytest.raises(OSError, match='broken'):
        write_text('new', path)
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]
