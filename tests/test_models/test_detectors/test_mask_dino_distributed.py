import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from tests.tiny_heads import backbone_maps, samples
from tests.tiny_mask_dino import tiny_mask_dino
from tests.two_ranks import on_two_ranks

# Targets of the two images of each rank: nothing to denoise beside a crowd.
COUNTS = {0: (0, 0), 1: (9, 3)}


class Losses(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = tiny_mask_dino(denoising={'num_queries': 6})

    def forward(self, maps, batch):
        return self.head.loss(maps, batch)


def step(rank):
    torch.manual_seed(0)
    model = DistributedDataParallel(Losses())
    for _ in range(2):
        losses = model(backbone_maps(), samples(*COUNTS[rank], stuff=False))
        sum(losses.values()).backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    grads = torch.cat([p.grad.flatten() for p in model.parameters()])
    sums = [torch.zeros(1) for _ in range(2)]
    dist.all_gather(sums, grads.abs().sum()[None])
    return sorted(losses), missing, torch.stack(sums).flatten().tolist()


@pytest.mark.slow
def test_ranks_with_and_without_denoising_agree(tmp_path):
    first, second = on_two_ranks(step, tmp_path)
    assert first == second
    _, missing, sums = first
    assert missing == []
    assert sums[0] == sums[1] != 0
