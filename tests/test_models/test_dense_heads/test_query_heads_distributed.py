from functools import partial

import pytest
import torch
from mmengine.model import MMDistributedDataParallel

from tests.tiny_heads import (
    backbone_maps,
    maskformer_losses,
    point_losses,
    samples,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.two_ranks import gradients_of_steps, on_two_ranks

# Targets of the two images of each rank: none beside more than queries.
COUNTS = {0: (0, 0), 1: (9, 3)}
HEADS = {
    'mask2former': (tiny_mask2former, point_losses),
    'maskformer': (tiny_maskformer, maskformer_losses),
}


class Losses(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        build, losses = HEADS[name]
        self.head = build(**losses())

    def forward(self, maps, batch):
        return self.head.loss(maps, batch)


def step(name, rank):
    model = MMDistributedDataParallel(
        Losses(name), device_ids=None, find_unused_parameters=False
    )
    batch = samples(*COUNTS[rank], stuff=False)
    return gradients_of_steps(
        model, lambda model: model(backbone_maps(), batch)
    )


@pytest.mark.slow
@pytest.mark.parametrize('name', HEADS)
def test_a_rank_without_targets_trains_every_parameter(name, tmp_path):
    first, second = on_two_ranks(partial(step, name), tmp_path)
    assert first == second
    assert first[1] == []
    assert first[2] != 0
