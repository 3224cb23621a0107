"""Processes whose batches have little in common train on together.

``python -m tests.soak.uneven``: each method in three processes, of which one
has no target, one has 300 in an image, and one has images of another size.
None may wait for the others, and all have to end with the same finite
weights.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from mmengine.model import MMDistributedDataParallel

from tests import small_models
from tests.soak.processes import METHODS, build, images_of
from tests.two_ranks import on_ranks

PROCESSES, STEPS, CROWD = 3, 2, 300
# Of a method in all processes, before they are taken for stuck.
SECONDS = 120


def batch_of(rank: int, config: dict, images: int) -> dict:
    """What only this process has."""
    if rank == 0:
        return small_models.batch(config, [[]] * images)
    size = small_models.SIZE if rank == 1 else 64
    count = CROWD if rank == 1 else 2
    draw = torch.Generator().manual_seed(rank)
    corner = torch.randint(size - 12, (images, count, 2), generator=draw)
    boxes = torch.cat((corner, corner + 10), 2).tolist()
    with mock.patch.object(small_models, 'SIZE', size):
        return small_models.batch(config, boxes)


def _rank(rank: int, names: list[str]) -> dict[str, float]:
    totals = {}
    for name in names:
        bare, config = build(name)
        batch = batch_of(rank, config, images_of(name))
        model = MMDistributedDataParallel(bare, find_unused_parameters=False)
        optimizer = torch.optim.SGD(bare.parameters(), lr=1e-3)
        for _ in range(STEPS):
            optimizer.zero_grad()
            data = bare.data_preprocessor(batch, True)
            loss, _ = bare.parse_losses(model(**data, mode='loss'))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(bare.parameters(), 1.0)
            optimizer.step()
        weights = [p.detach().double().sum() for p in bare.parameters()]
        totals[name] = float(sum(weights))
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', default=list(METHODS))
    names = parser.parse_args().names
    with tempfile.TemporaryDirectory() as folder:
        ranks = on_ranks(
            partial(_rank, names=names),
            *(Path(folder), PROCESSES, SECONDS * len(names)),
        )
    for name in names:
        totals = {rank[name] for rank in ranks}
        if len(totals) > 1 or not all(abs(v) < 1e9 for v in totals):
            raise SystemExit(f'{name}: processes ended with {totals}')
        print(f'{name}: {PROCESSES} processes agree', flush=True)


if __name__ == '__main__':
    main()
