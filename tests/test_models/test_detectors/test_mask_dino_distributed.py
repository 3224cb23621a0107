import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from tests.tiny_heads import backbone_maps, samples
from tests.tiny_mask_dino import tiny_mask_dino
from tests.two_ranks import gradients_of_steps, on_two_ranks

# Targets of the two images of each rank: nothing to denoise beside a crowd.
COUNTS = {0: (0, 0), 1: (9, 3)}


class Losses(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = tiny_mask_dino(denoising={'num_queries': 6})

    def forward(self, maps, batch):
        return self.head.loss(maps, batch)


def step(rank):
    batch = samples(*COUNTS[rank], stuff=False)
    return gradients_of_steps(
        DistributedDataParallel(Losses()),
        lambda model: model(backbone_maps(), batch),
    )


@pytest.mark.slow
def test_ranks_with_and_without_denoising_agree(tmp_path):
    first, second = on_two_ranks(step, tmp_path)
    assert first == second
    assert first[1] == []
    assert first[2] != 0
