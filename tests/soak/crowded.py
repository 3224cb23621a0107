"""Memory of a training step on an image with 2,000 objects.

``python -m tests.soak.crowded`` takes one step (losses, gradients, AdamW) of
each method's small model on an image of 1024 x 1024, each in a process of its
own, and prints by how much that grew at most: with 20 objects and with 2,000.
More than the bound of a method is an error.
"""

import argparse
import math
import subprocess
import sys
from typing import Any
from unittest import mock

import numpy as np
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData

import mmseg_plugin.registry  # noqa: F401
from benchmarks.clocks import peak_growth
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.structures.packed_masks import PackedMasks
from tests import small_models
from tests.soak.processes import METHODS

SIZE = 1024
FEW, MANY = 20, 2000
# Megabytes. The masks of 2,000 objects are 2000 MB, a byte a pixel.
BOUNDS = {
    'mask2former': 5000,
    'mask_dino': 3200,
    'panoptic_fcn': 6000,
    'mask_rcnn': 3500,
}


def squares(count: int) -> tuple[torch.Tensor, PackedMasks]:
    """Corners (count, 4) and masks of squares in a grid."""
    across = math.ceil(math.sqrt(count))
    each = SIZE // across
    number = torch.arange(count)
    corner = torch.stack((number % across, number // across), 1) * each
    boxes = torch.cat((corner, corner + each - 4), 1)
    bits = np.zeros((count, SIZE, SIZE // 8), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(bits, boxes.tolist(), strict=True):
        row = np.zeros(SIZE, bool)
        row[x1:x2] = True
        mask[y1:y2] = np.packbits(row)
    return boxes, PackedMasks(torch.from_numpy(bits), SIZE)


def batch(config: Any, count: int) -> dict:
    """One image with so many objects."""
    things, stuff = small_models.thing_and_stuff_counts(config)
    boxes, masks = squares(count)
    with mock.patch.object(small_models, 'SIZE', SIZE):
        whole = small_models.batch(config, [[]])
    labels = torch.arange(count) % things
    semantic = torch.full((1, SIZE, SIZE), things if stuff else 255)
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels, strict=True):
        semantic[0, y1:y2, x1:x2] = label
    (sample,) = whole['data_samples']
    sample.gt_instances = InstanceData(
        bboxes=boxes.float(), labels=labels, masks=masks
    )
    sample.gt_sem_seg = PixelData(sem_seg=semantic)
    return whole


def grown(name: str, count: int) -> float:
    """Megabytes that a step needs at most, beside weights and data."""
    config = read_model_config(METHODS[name][0]).model
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    given = batch(config, count)

    def step() -> None:
        data = model.data_preprocessor(given, True)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        optimizer.step()

    return peak_growth(step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', default=list(BOUNDS))
    parser.add_argument('--objects', type=int, help='in this process')
    args = parser.parse_args()
    torch.set_num_threads(1)
    missed = []
    for name in args.names:
        if args.objects:
            print(grown(name, args.objects))
            continue
        found = []
        for count in (FEW, MANY):
            command = [sys.executable, '-m', __spec__.name, name]
            done = subprocess.run(
                [*command, '--objects', str(count)],
                check=True,
                text=True,
                stdout=subprocess.PIPE,
            )
            found.append(float(done.stdout.split()[-1]))
        few, many = found
        line = (
            f'{name}: {few:.0f} MB with {FEW} objects, {many:.0f} with '
            f'{MANY}; bound {BOUNDS[name]}'
        )
        print(line, flush=True)
        if many > BOUNDS[name]:
            missed.append(name)
    if missed:
        raise SystemExit(f'more than the bound: {", ".join(missed)}')


if __name__ == '__main__':
    main()
