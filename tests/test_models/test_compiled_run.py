"""`model.compile` through MMEngine's runner, as `mim train` starts it."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import tests.toy_run  # noqa: F401
from tests.test_configs import CONFIGS

NAMES = [
    'mask2former/mask2former_tiny_demo_scenes-panoptic',
    'maskdino/maskdino_tiny_demo_scenes-panoptic',
]


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_two_iterations(name, run_tool, tmp_path, monkeypatch):
    done = run_tool(
        *('make_scenes', 'data/scenes', '--train', 4, '--val', 2),
        *('--size', 96, 96),
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    loader = {'batch_size': 2, 'num_workers': 0, 'persistent_workers': False}
    cfg.merge_from_dict(
        {
            'work_dir': 'runs',
            'train_cfg': {'max_epochs': 1, 'val_interval': 2},
            'train_dataloader': loader,
            # Inductor would compile C++ for minutes.
            'model': {'compile': {'backend': 'eager'}},
        }
    )
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    Runner.from_cfg(cfg).train()
    counters = torch._dynamo.utils.counters
    # Backbone and head at least.
    assert counters['stats']['unique_graphs'] >= 2
    assert not counters['graph_break']
    saved = torch.load(next(Path('runs').glob('*.pth')), weights_only=False)
    assert not any('_orig_mod' in key for key in saved['state_dict'])
