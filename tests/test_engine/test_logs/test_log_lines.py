import json
import subprocess
import sys

import pytest

from mmseg_plugin.engine.logs.log_lines import loss_text
from mmseg_plugin.engine.logs.progress_hook import ProgressHook
from tests.toy_run import Toy, toy_runner


class ManyLosses(Toy):
    """The toy with losses of three layers."""

    def forward(self, *inputs, mode='tensor'):
        loss = super().forward(*inputs, mode=mode)['loss']
        layers = ('d0.loss_cls', 'd1.loss_cls', 'loss_cls', 'dn_loss_cls')
        return dict.fromkeys(layers, loss)


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('tests.toy_run.Toy', ManyLosses)
    runner = toy_runner(
        tmp_path,
        max_iters=4,
        log_level='INFO',
        default_hooks={
            'logger': {'type': 'LoggerHook', 'interval': 2},
            'progress': {'type': 'mmseg_plugin.ProgressHook'},
        },
        log_processor={'type': 'mmseg_plugin.LogLines', 'by_epoch': False},
    )
    runner.train()
    return tmp_path, capsys.readouterr().out


def test_one_line_and_all_losses_in_the_file(trained):
    folder, printed = trained
    lines = [line for line in printed.splitlines() if 'iter 4/4' in line]
    assert len(lines) == 1
    for word in ('eta 0:00:00', 'lr ', ' s (data ', 'memory ', 'grad norm'):
        assert word in lines[0]
    assert lines[0].count('class') == 1
    assert 'denoising' in lines[0]
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    last = json.loads(scalars.read_text().splitlines()[-1])
    assert {'d0.loss_cls', 'd1.loss_cls', 'loss_cls', 'dn_loss_cls'} <= set(
        last
    )
    assert last['memory'] > 10


def test_what_only_a_file_is_read_for_is_in_the_file(trained):
    folder, printed = trained
    (log,) = folder.glob('*/*.log')
    for words in ('System environment:', 'Hooks will be executed'):
        assert words in log.read_text()
        assert words not in printed


def test_no_bar_where_nobody_looks(trained):
    assert '%|' not in trained[1]


def test_a_bar_on_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('sys.stdout.isatty', lambda: True, raising=False)
    runner = toy_runner(tmp_path, max_iters=3)
    handler = runner.logger.handlers[0]
    hook, stream = ProgressHook(), handler.stream
    handler.stream = sys.stdout
    hook.before_train(runner)
    runner.logger.error('between')
    hook.after_train_iter(runner)
    hook.after_train(runner)
    assert handler.stream is sys.stdout
    handler.stream = stream
    printed = capsys.readouterr().out
    assert '0/3' in printed
    assert 'between\n' in printed


def test_a_single_loss_is_not_said_twice():
    assert loss_text({'loss': 2.0, 'loss_ce': 2.0}) == 'loss 2'
    assert loss_text({}) == ''


def test_imports_say_nothing():
    code = (
        'import mmseg_plugin.registry, mmdet.datasets.transforms, '
        'mmdet.evaluation, mmseg.datasets'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'OneDL' not in done.stdout + done.stderr
    assert 'faster_coco_eval' not in done.stdout + done.stderr
