"""``python -m mmseg_plugin make_scenes``."""

import subprocess
import sys

import pytest


def _make_scenes(*args):
    command = [sys.executable, '-m', 'mmseg_plugin', 'make_scenes', *args]
    return subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, check=False
    )


def test_writes_whole_data_set_into_empty_folder(tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    done = _make_scenes(out, '--train', 2, '--val', 1, '--size', 48, 64)
    assert done.returncode == 0, done.stderr
    files = sorted(
        str(p.relative_to(out)) for p in out.rglob('*') if p.is_file()
    )
    assert files == [
        'annotations/instances_train.json',
        'annotations/instances_val.json',
        'annotations/panoptic_train.json',
        'annotations/panoptic_train/000001.png',
        'annotations/panoptic_train/000002.png',
        'annotations/panoptic_val.json',
        'annotations/panoptic_val/000001.png',
        'annotations/semantic_train/000001.png',
        'annotations/semantic_train/000002.png',
        'annotations/semantic_val/000001.png',
        'train/000001.jpg',
        'train/000002.jpg',
        'val/000001.jpg',
    ]
    assert [p.name for p in tmp_path.iterdir()] == ['out']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--train', -1], '--train must not be negative, got -1'),
        (['--seed', -5], '--seed must not be negative, got -5'),
        (['--size', 8, 256], 'size must be at least 32 px'),
        (['--instances', 2, 500], 'within 1 to 300'),
    ],
)
def test_bad_options(tmp_path, options, message):
    done = _make_scenes(tmp_path / 'out', *options)
    assert done.returncode == 2
    assert done.stderr.startswith('error: ')
    assert message in done.stderr
    assert done.stderr.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_refuses_folder_with_files(tmp_path):
    (tmp_path / 'precious.txt').write_text('kept')
    done = _make_scenes(tmp_path, '--train', 1, '--val', 0)
    assert done.returncode == 2
    assert 'is not an empty folder' in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ['precious.txt']
