"""Bad input of ``show_query`` and ``fit_checkpoint``."""

import mmcv
import numpy as np
import pytest
import torch

from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import call
from tools import fit_checkpoint, show_query

DINO = 'maskdino_tiny_demo_scenes'
RCNN = 'mask-rcnn_tiny_fpn_demo_scenes'
# What tells the weights of mmdet's DINO from others.
DINO_KEYS = ('memory_trans_fc.weight', 'bbox_head.cls_branches.0.weight')


@pytest.fixture
def files(tmp_path):
    """Names of broken files to their paths."""
    (tmp_path / 'broken.py').write_text('model = dict(\n')
    (tmp_path / 'base.py').write_text("default_scope = 'mmdet'\n")
    mmcv.imwrite(np.zeros((64, 64, 3), np.uint8), str(tmp_path / 'image.png'))
    torch.save([1, 2], tmp_path / 'list.pth')
    torch.save({'x': torch.zeros(1)}, tmp_path / 'other.pth')
    torch.save(dict.fromkeys(DINO_KEYS, torch.zeros(1)), tmp_path / 'dino.pth')
    return tmp_path


@pytest.mark.parametrize(
    ('image', 'config', 'checkpoint', 'message'),
    [
        ('absent.png', DINO, 'other.pth', 'absent.png cannot be read'),
        ('image.png', 'absent', 'other.pth', 'absent is neither'),
        ('image.png', 'broken.py', 'other.pth', 'broken.py cannot be read'),
        ('image.png', 'base.py', 'other.pth', 'base.py has no model'),
        ('image.png', DINO, 'absent.pth', 'absent.pth'),
        ('image.png', DINO, 'list.pth', 'list.pth holds no state dict'),
        ('image.png', DINO, 'other.pth', 'other.pth does not fit'),
        ('image.png', RCNN, 'other.pth', 'other.pth does not fit'),
    ],
)
def test_show_query(files, monkeypatch, image, config, checkpoint, message):
    monkeypatch.chdir(files)
    with pytest.raises(UserError, match=message):
        call(
            show_query.main,
            monkeypatch,
            *(image, 'out.png', '--model', config, checkpoint),
        )
    assert not (files / 'out.png').exists()


@pytest.mark.parametrize(
    ('config', 'checkpoint', 'message'),
    [
        ('absent', 'other.pth', 'absent is neither'),
        ('broken.py', 'other.pth', 'broken.py cannot be read'),
        ('base.py', 'other.pth', 'base.py has no model'),
        (DINO, 'absent.pth', 'absent.pth'),
        (DINO, 'list.pth', 'list.pth holds no state dict'),
        (DINO, 'other.pth', 'no weight in other.pth fits'),
        (RCNN, 'dino.pth', 'fit Mask DINO only'),
    ],
)
def test_fit_checkpoint(files, monkeypatch, config, checkpoint, message):
    monkeypatch.chdir(files)
    with pytest.raises(UserError, match=message):
        call(
            fit_checkpoint.main,
            monkeypatch,
            *(config, checkpoint, 'out.pth'),
        )
    assert not (files / 'out.pth').exists()
