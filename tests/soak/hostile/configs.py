"""Configs that are damaged as text or as data."""

import copy
import random
from functools import cache
from pathlib import Path

from mmseg_plugin.checks.reading import read_target
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.cli.launch import preflight
from tests.soak.hostile.outcome import (
    JUNK,
    damage,
    damaged_bytes,
    note,
    outcome,
    places,
)
from tools import config as config_tool

NAMES = (
    'mask2former_tiny_demo_scenes-panoptic',
    'mask-rcnn_tiny_fpn_demo_scenes',
    'mask2former_tiny_demo_scenes-semantic',
)
LINES = (
    "_base_ = ['./x.py']\n",
    "_base_ = ['./y.py']\n",
    "_base_ = ['./none.py']\n",
    '_base_ = 5\n',
    '_delete_ = True\nmodel = dict(_delete_=True)\n',
    'model = 3\n',
    "model = dict(type='mmdet.None')\n",
    "train_dataloader = [dict(dataset='x')]\n",
    'val_dataloader = dict(dataset=dict(metainfo=dict(classes=5)))\n',
    "default_scope = ['mmdet']\n",
    'work_dir = 1\n',
    "model['x']['y'] = {{_base_.nothing}}\n",
)
UNKNOWN = ('x', 'num_class', 'typ', 'backbon', '_scope_', '', '0')
KEYS = ('model.x', 'train_dataloader.9.x', '..', '', 'model', 'x.y.z')


_plain = cache(lambda name: read_model_config(name).to_dict())


def hostile_config(path: Path, rng: random.Random) -> None:
    """Writes one; some inherit from themselves."""
    name = rng.choice(NAMES)
    content = copy.deepcopy(_plain(name))
    kind = rng.random()
    if kind < 0.4:
        for _ in range(rng.randint(1, 3)):
            damage(content, rng)
    elif kind < 0.5:
        note('config: unknown key')
        nodes = [node for node, _ in places(content) if isinstance(node, dict)]
        rng.choice(nodes)[rng.choice(UNKNOWN)] = rng.choice(JUNK)
    text = ''.join(f'{k} = {v!r}\n' for k, v in content.items())
    if 0.5 <= kind < 0.8:
        line = rng.choice(LINES)
        note(f'config: {line.splitlines()[0]}')
        text = line + (text if rng.random() < 0.5 else '')
    path.write_text(text, errors='replace')
    if kind > 0.9:
        path.write_bytes(damaged_bytes(path.read_bytes(), rng))
    path.with_name('y.py').write_text("_base_ = ['./x.py']\n")


def case(rng: random.Random, folder: Path) -> int:
    """One config, given to one of those that read configs."""
    path = folder / 'x.py'
    hostile_config(path, rng)
    kind = rng.randrange(3)
    if kind == 0:
        return outcome(config_tool.main, (path, '--expand'))
    if kind == 1:
        return outcome(lambda: read_target(str(path), False))
    options: tuple = ()
    if rng.random() < 0.5:
        value = rng.choice(('1', '[', '(1,2)', '', 'None', '"x'))
        options = ('--cfg-options', f'{rng.choice(KEYS)}={value}')
    return outcome(
        lambda: preflight(read_model_config(str(path)), 'train'),
        (path, *options),
    )
