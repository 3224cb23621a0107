"""Checkpoints that are damaged, of other models, or hold code."""

import random
import shutil
from pathlib import Path
from typing import Any

import torch

from mmseg_plugin.engine.captures import read_capture
from mmseg_plugin.engine.checkpoint import load_file
from mmseg_plugin.engine.files import latest_whole
from tests.soak.hostile.outcome import (
    JUNK,
    Fault,
    damage,
    damaged_bytes,
    note,
    outcome,
)
from tests.test_tools.colour_model import write_data, write_model
from tools import convert, fit_checkpoint, predict, replay

# What is wrong with a file.
KINDS = ('another model', 'other sizes', 'code', 'junk', 'changed', 'damaged')


class Code:
    """Makes a file when it is unpickled; harmless if that happens."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def hostile_checkpoint(path: Path, mark: Path, rng: random.Random) -> None:
    """Writes one; ``mark`` appears if code in it is run."""
    weights: dict = {'score': torch.tensor(1.0)}
    content: Any = {'meta': {'epoch': 1}, 'state_dict': weights}
    kind = rng.randrange(6)
    note(f'checkpoint: {KINDS[kind]}')
    if kind == 0:
        weights = {f'w{i}': torch.zeros(i) for i in range(rng.randint(0, 9))}
        content['state_dict'] = weights
    elif kind == 1:
        weights['score'] = torch.zeros(rng.randint(0, 5), 2)
    elif kind == 2:
        where = rng.choice((content, content['meta'], weights))
        where[rng.choice(('x', 'state_dict', 'score', 'meta'))] = Code(mark)
    elif kind == 3:
        content = rng.choice(JUNK)
    elif kind == 4:
        damage(content, rng)
    protocol = {'_use_new_zipfile_serialization': rng.random() < 0.7}
    torch.save(content, path, **protocol)
    # Cut or changed files are read by checksums or refused as data.
    if kind == 5:
        path.write_bytes(damaged_bytes(path.read_bytes(), rng))


def case(rng: random.Random, folder: Path) -> int:
    """One file, given to one of those that read checkpoints."""
    config, path = folder / 'config.py', folder / 'model.pth'
    if not config.exists():
        write_data(folder)
        write_model(folder)
    mark = folder / 'executed'
    hostile_checkpoint(path, mark, rng)
    out = folder / 'out'
    for left in (out, folder / 'out.part', out.with_suffix('.pth')):
        if left.is_dir():
            shutil.rmtree(left)
        left.unlink(missing_ok=True)
    kind = rng.randrange(6)
    if kind == 0:
        words: tuple = (config, path, folder / 'images', '--out', out)
        code = outcome(predict.main, (*words, '--device', 'cpu'), out)
    elif kind == 1:
        side = rng.choice(('d2', 'mmdet'))
        other = 'mmdet' if side == 'd2' else 'd2'
        out = out.with_suffix('.pth')
        words = ('mask2former', path, out, '--from', side, '--to', other)
        code = outcome(convert.main, words, out)
    elif kind == 2:
        code = outcome(replay.main, (path,))
    elif kind == 3:
        out = out.with_suffix('.pth')
        name = 'mask2former_tiny_demo_scenes-panoptic'
        code = outcome(fit_checkpoint.main, (name, path, out), out)
    else:
        reader = read_capture if kind == 4 else load_file
        latest_whole(path, [path])
        code = read(reader, path)
    if mark.exists():
        raise Fault('code of a checkpoint was executed')
    return code


def read(reader: Any, path: Path) -> int:
    """What a reader says of a file, as an exit code."""
    import pickle

    try:
        reader(path)
    except (pickle.UnpicklingError, ValueError) as error:
        if '\n' in str(error) or str(path) not in str(error):
            raise Fault(f'no sentence about the file: {error}') from error
        return 2
    return 0
