"""Memory of long runs is flat.

``python -m tests.soak.memory`` trains small models for 500 steps, validates
and predicts on thousands of images, and prints by how much the process grew
over the second half.
"""

import argparse
import contextlib
import ctypes
import io
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler, pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from mmseg_plugin.engine.kept_results import KeptResults
from tests import small_models
from tests.soak.processes import build
from tests.test_tools import colour_model
from tests.toy_run import Score
from tools import predict

STEPS, IMAGES = 500, 5000
# Megabytes by which a process may grow over the second half.
NOISE = 12.0


def resident() -> float:
    """Megabytes of this process, what the allocator kept given back."""
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def growth(seen: list[float]) -> float:
    """Of the straight line through the second half, from end to end."""
    half = np.array(seen[len(seen) // 2 :])
    steps = np.arange(len(half))
    return float(np.polyfit(steps, half, 1)[0] * len(half))


class Scenes(Dataset):
    """Images with 1 to 40 rectangles, no two of them alike."""

    metainfo = {'classes': ('one',)}

    def __init__(self, config: Any, length: int) -> None:
        self.config = config
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        rng = random.Random(index)
        boxes = []
        for _ in range(rng.randint(1, 40)):
            x, y = rng.randrange(60), rng.randrange(60)
            far = x + rng.randint(4, 36), y + rng.randint(4, 36)
            boxes.append([x, y, *far])
        one = small_models.batch(self.config, [boxes])
        return {key: part[0] for key, part in one.items()}


class Watch(Hook):
    """Notes the memory of the process after each step."""

    def __init__(self) -> None:
        self.training: list[float] = []
        self.validation: list[float] = []

    def after_train_iter(self, *args: Any, **kwargs: Any) -> None:
        self.training.append(resident())

    def after_val_iter(self, *args: Any, **kwargs: Any) -> None:
        self.validation.append(resident())


def run(name: str) -> dict[str, float]:
    """Growth while a model is trained and validated."""
    model, config = build(name)
    watch = Watch()
    train, val = Scenes(config, 10**6), Scenes(config, STEPS)
    hooks = ('NonFiniteGuard', 'ExactResumeHook')
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(
            model,
            work_dir=folder,
            train_dataloader=DataLoader(
                train,
                sampler=InfiniteSampler(train, seed=0, shuffle=False),
                collate_fn=pseudo_collate,
            ),
            train_cfg={
                'type': 'IterBasedTrainLoop',
                'max_iters': STEPS,
                'val_interval': STEPS,
            },
            val_dataloader=DataLoader(val, collate_fn=pseudo_collate),
            val_evaluator=Evaluator(Score()),
            val_cfg={'type': 'ValLoop'},
            optim_wrapper={
                'optimizer': {'type': 'AdamW', 'lr': 1e-5},
                'clip_grad': {'max_norm': 0.01},
            },
            default_hooks={
                'checkpoint': {
                    'type': 'mmseg_plugin.SafeCheckpointHook',
                    'by_epoch': False,
                    'interval': STEPS // 5,
                    'max_keep_ckpts': 1,
                }
            },
            custom_hooks=[
                watch,
                *({'type': f'mmseg_plugin.{hook}'} for hook in hooks),
            ],
            randomness={'seed': 0},
            experiment_name=f'memory_{name}',
            log_level='WARNING',
        )
        runner.train()
    assert len(watch.training) == len(watch.validation) == STEPS
    return {
        f'{name}, {STEPS} steps': growth(watch.training),
        f'{name}, {STEPS} validation images': growth(watch.validation),
    }


def predictions(count: int) -> dict[str, float]:
    """Growth while `predict` draws and keeps results of images."""
    seen = []
    keep = KeptResults.keep

    def noted(*args: Any) -> None:
        keep(*args)
        seen.append(resident())

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        colour_model.write_data(root)
        config, checkpoint = colour_model.write_model(root)
        image = (root / 'images/a.png').read_bytes()
        (root / 'many').mkdir()
        for number in range(count):
            (root / f'many/{number}.png').write_bytes(image)
        words = [config, checkpoint, root / 'many', '--out', root / 'out']
        words += ['--device', 'cpu']
        with (
            mock.patch.object(KeptResults, 'keep', noted),
            mock.patch.object(sys, 'argv', ['predict', *map(str, words)]),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            predict.main()
        found = json.loads((root / 'out/instances.json').read_text())
    assert len({row['image_id'] for row in found}) == len(seen) == count
    return {f'predict, {count} images': growth(seen)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', default=['mask2former'])
    parser.add_argument('--images', type=int, default=IMAGES)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = predictions(args.images)
    for name in args.names:
        found |= run(name)
    for words, grown in found.items():
        print(f'{words}: {grown:+.1f} MB over the second half', flush=True)
    if max(found.values()) > NOISE:
        raise SystemExit(f'more than {NOISE:g} MB of growth')


if __name__ == '__main__':
    main()
