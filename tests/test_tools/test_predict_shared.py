"""Predictions of a folder that several processes share, or that was killed."""

import os
import signal
import subprocess
import sys

import mmcv
import numpy as np
import pytest

from mmseg_plugin.engine.kept_results import KeptResults
from tests.test_tools.colour_model import call, write_data, write_model
from tools import predict

KINDS = ('instances', 'panoptic', 'semantic')


def files_of(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path):
    write_data(tmp_path)
    for number in range(4):
        image = np.zeros((40, 60, 3), np.uint8)
        image[5:20, 10 + number : 30, 1] = 255
        mmcv.imwrite(image, str(tmp_path / f'images/more/{number}.png'))
    config, _ = write_model(tmp_path, kinds=KINDS)
    config.write_text(
        config.read_text()
        + "custom_imports = dict(imports=['tests.test_tools.colour_model'])\n"
    )
    return tmp_path


def arguments(root, out, *more):
    images, where = root / 'images', ('--device', 'cpu', '--out', root / out)
    return (root / 'config.py', root / 'model.pth', images, *where, *more)


def killed(monkeypatch, words, after):
    """A run that is killed when it keeps its results for the nth time."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        return
    keep, calls = KeptResults.keep, []

    def last(self, name, record):
        calls.append(name)
        if len(calls) == after:
            os.kill(os.getpid(), signal.SIGKILL)
        keep(self, name, record)

    KeptResults.keep = last
    try:
        call(predict.main, monkeypatch, *words)
    finally:
        os._exit(1)


def test_two_processes_go_on_and_give_what_one_gives(root, monkeypatch):
    call(predict.main, monkeypatch, *arguments(root, 'one'))
    killed(monkeypatch, arguments(root, 'two'), after=4)
    part = root / 'two.part'
    done = {
        path: path.stat().st_mtime_ns
        for path in (part / 'records').rglob('*.json')
    }
    assert len(done) == 3
    assert not (root / 'two').exists()
    pictures = {
        path: (part / 'drawn' / path.relative_to(part / 'records')).stat()
        for path in (path.with_suffix('') for path in done)
    }

    other = arguments(root, 'two', '--score-thr', 0.9)
    with pytest.raises(
        ValueError, match=r'part of other .*score_thr 0.3, now'
    ):
        call(predict.main, monkeypatch, *other)

    command = [sys.executable, '-m', 'torch.distributed.run']
    command += ['--nproc-per-node', '2', '-m', 'mmseg_plugin', 'predict']
    command += map(str, arguments(root, 'two'))
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.count('7 images: ') == 1
    assert not part.exists()
    assert files_of(root / 'two') == files_of(root / 'one')
    for path, before in pictures.items():
        now = root / 'two/drawn' / path.relative_to(part / 'records')
        assert now.stat().st_mtime_ns == before.st_mtime_ns
