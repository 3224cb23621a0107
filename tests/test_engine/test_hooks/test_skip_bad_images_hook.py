from functools import partial

import mmcv
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset

from mmseg_plugin.engine.hooks import skip_bad_images_hook as module
from tests.toy_run import toy_runner
from tests.two_ranks import on_ranks

BAD = '7.png'


class Images(BaseDataset):
    """As many small images as the toy has samples, one of them cut off."""

    METAINFO = {'classes': ('one',)}

    def load_data_list(self):
        return [
            {'img_path': f'{self.data_root}/{i}.png'} for i in range(self.size)
        ]


def load(results):
    image = mmcv.imread(results['img_path'])
    assert image is not None
    if image.size == 3:
        raise RuntimeError('another fault')
    return torch.tensor(image.mean((0, 1)).tolist() + [1.0]) / 255


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'images'
    for i in range(20):
        image = np.full((8, 8, 3), 10 * i, np.uint8)
        mmcv.imwrite(image, str(root / f'{i}.png'))
    (root / BAD).write_bytes((root / BAD).read_bytes()[:20])
    Images.size = 20
    # Within a wrapper, as configs have them.
    return ConcatDataset([Images(data_root=str(root), pipeline=[load])])


def run(folder, data, workers=0, iters=20, resume=False, **options):
    level = options.pop('log_level', 'WARNING')
    hook = {'type': 'mmseg_plugin.SkipBadImagesHook', **options}
    runner = toy_runner(
        *(folder, iters, resume),
        data=data,
        hooks=[hook],
        num_workers=workers,
        log_level=level,
    )
    runner.train()
    return runner


@pytest.mark.parametrize('workers', [0, 1])
def test_a_bad_image_is_left_out_named_and_counted(tmp_path, data, workers):
    runner = run(tmp_path / 'run', data, workers, max_rate=0.5, interval=20)
    assert runner.iter == 20
    lines = (tmp_path / 'run/bad_images/rank_0.txt').read_text().splitlines()
    # Two epochs' worth, the second of them ahead of the last iteration.
    assert 1 <= len(lines) <= 3
    assert all(f'/{BAD} (AssertionError' in line for line in lines)
    count = runner.message_hub.get_info('bad_images')
    assert 1 <= count <= len(lines)


def _rank(rank, folder):
    """Two runs: how many bad images all know of, and how the second ends."""
    Images.size = 20
    data = Images(data_root=str(folder / 'images'), pipeline=[load])
    options = {'log_level': 'ERROR', 'interval': 5}
    first = run(folder / 'first', data, max_rate=1, **options)
    with pytest.raises(SystemExit) as ended:
        run(folder / 'second', data, max_rate=0.01, **options)
    return [first.message_hub.get_info('bad_images'), str(ended.value)]


def test_processes_count_together_and_end_together(tmp_path, data):
    found = on_ranks(
        partial(_rank, folder=tmp_path), tmp_path, start_method='forkserver'
    )
    lines = [
        line
        for path in (tmp_path / 'first/bad_images').iterdir()
        for line in path.read_text().splitlines()
    ]
    assert found[0] == found[1]
    assert found[0][0] == len(lines) > 0
    assert ' images could not be read, more than max_rate=0.01' in found[0][1]


def test_a_resumed_run_is_judged_as_a_whole(tmp_path, data):
    options = {'interval': 1, 'max_rate': 0.3}
    first = run(tmp_path / 'run', data, **options)
    assert first.message_hub.get_info('bad_images')
    first.message_hub.update_info('bad_images', 8)
    first.save_checkpoint(str(tmp_path / 'run'), 'iter_20.pth')
    again = run(tmp_path / 'run', data, iters=22, resume=True, **options)
    assert again.iter == 22
    assert again.message_hub.get_info('bad_images') >= 8


def test_other_errors_end_the_training(tmp_path, data):
    image = np.zeros((1, 1, 3), np.uint8)
    mmcv.imwrite(image, str(tmp_path / 'images' / BAD))
    with pytest.raises(RuntimeError, match='another fault'):
        run(tmp_path / 'run', data)


def test_the_rate_is_a_share():
    with pytest.raises(ValueError, match='within 0 and 1, not 2'):
        module.SkipBadImagesHook(max_rate=2)
