import json
import math

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmseg_plugin.apis.extend import extend_run
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.engine.checkpoint import load_file
from tests.test_datasets.test_formats import writers

QUIET = (
    *('--cfg-options', 'train_dataloader.num_workers=0'),
    *('train_dataloader.persistent_workers=False', 'custom_hooks=[]'),
    'default_hooks.logger.interval=1',
)


def rates(folder):
    path = sorted(folder.glob('*/vis_data/scalars.json'))[-1]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row['lr'] for row in rows if 'lr' in row]


def test_a_finished_run_goes_on(run_tool, tmp_path):
    writers.write_coco(tmp_path / 'data')
    first = run_tool(
        *(
            'train',
            'data',
            '--size',
            'tiny',
            '--model',
            'mask-rcnn',
            '--no-report',
        ),
        *('--epochs', '2', '--no-measure', '--work-dir', 'run', *QUIET),
    )
    assert first.returncode == 0, first.stderr[-2000:]
    peak = 0.002
    done = run_tool('train', 'run', '--extend', '3', *QUIET)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '3 epochs more, to 5: 6 iterations' in done.stdout
    assert load_file(tmp_path / 'run' / 'epoch_5.pth')['meta']['iter'] == 10
    # A rise in one iteration to half of the peak, then a cosine of six.
    expected = [
        0.5 * peak * (1 + math.cos(math.pi * step / 6)) / 2
        for step in range(6)
    ]
    expected[0] *= 0.05
    assert rates(tmp_path / 'run') == pytest.approx(expected, rel=1e-3)
    assert not list((tmp_path / 'run').glob('*.start'))
    assert 'writing the report of run' in done.stdout
    # One that was stopped before it saved anything is begun anew.
    (stopped := tmp_path / 'run' / '99' / 'vis_data').mkdir(parents=True)
    (stopped / 'config.py').write_text('train_cfg = dict(max_epochs=9)\n')
    made = extend_run(tmp_path / 'run', 1)
    assert made.words.startswith('1 epoch more, to 6')


def test_what_is_not_finished_is_refused(tmp_path):
    with pytest.raises(UserError, match='begins at 1'):
        extend_run(tmp_path, 0)
    (tmp_path / '1' / 'vis_data').mkdir(parents=True)
    config = tmp_path / '1' / 'vis_data' / 'config.py'
    config.write_text("train_cfg = dict(type='x', max_iters=9)\n")
    with pytest.raises(UserError, match='it has no checkpoint'):
        extend_run(tmp_path, 3)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1)
    content = {
        'meta': {'iter': 5, 'epoch': 0},
        'state_dict': {},
        'optimizer': optimizer.state_dict(),
    }
    torch.save(content, tmp_path / 'iter_5.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_5.pth'))
    with pytest.raises(UserError, match='not finished: 5 of 9 iters'):
        extend_run(tmp_path, 3)
    # One that counts iterations, at its end.
    content['meta']['iter'] = 9
    torch.save(content, tmp_path / 'iter_5.pth')
    made = extend_run(tmp_path, 3)
    assert made.words.startswith('3 iters more, to 12: 3 iterations')
    schedule = Config.fromfile(made.config).param_scheduler
    assert schedule[1]['T_max'] == 3
