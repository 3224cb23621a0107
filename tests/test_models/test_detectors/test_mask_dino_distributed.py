import datetime

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from tests.tiny_heads import backbone_maps, samples
from tests.tiny_mask_dino import tiny_mask_dino

# Targets of the two images of each rank: nothing to denoise beside a crowd.
COUNTS = {0: (0, 0), 1: (9, 3)}


class Losses(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = tiny_mask_dino(denoising={'num_queries': 6})

    def forward(self, maps, batch):
        return self.head.loss(maps, batch)


def step(rank, address, names):
    dist.init_process_group(
        'gloo',
        init_method=f'file://{address}',
        rank=rank,
        world_size=2,
        timeout=datetime.timedelta(seconds=60),
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = DistributedDataParallel(Losses())
    for _ in range(2):
        losses = model(backbone_maps(), samples(*COUNTS[rank], stuff=False))
        sum(losses.values()).backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    grads = torch.cat([p.grad.flatten() for p in model.parameters()])
    sums = [torch.zeros(1) for _ in range(2)]
    dist.all_gather(sums, grads.abs().sum()[None])
    names.put((sorted(losses), missing, torch.stack(sums).tolist()))
    dist.destroy_process_group()


@pytest.mark.slow
def test_ranks_with_and_without_denoising_agree(tmp_path):
    context = torch.multiprocessing.get_context('spawn')
    names = context.Queue()
    workers = [
        context.Process(target=step, args=(rank, tmp_path / 'store', names))
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    first, second = (names.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert first == second
    assert first[1] == []
    assert first[2][0] == first[2][1] != [0]
