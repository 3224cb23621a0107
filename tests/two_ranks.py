"""Runs a function in two processes that are joined by gloo."""

import datetime

import torch
import torch.distributed as dist


def _run(function, rank, store, results):
    dist.init_process_group(
        'gloo',
        init_method=f'file://{store}',
        rank=rank,
        world_size=2,
        timeout=datetime.timedelta(minutes=5),
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results.put((rank, function(rank)))
    dist.destroy_process_group()


def on_two_ranks(function, tmp_path):
    """What the function returns for rank 0 and for rank 1.

    Args:
        function: of a module, takes the rank; its result is sent to the
            parent, so it should hold plain numbers.
        tmp_path: an empty folder, where the ranks meet.
    """
    context = torch.multiprocessing.get_context('spawn')
    results = context.Queue()
    workers = [
        context.Process(
            target=_run, args=(function, rank, tmp_path / 'store', results)
        )
        for rank in range(2)
    ]
    for worker in workers:
        worker.start()
    found = dict(results.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    return found[0], found[1]


def gradients_of_steps(model, losses_of, num_steps=2):
    """Trains without an optimizer; what all ranks have to agree on.

    Args:
        model: wrapped for distributed training, returns losses.
        losses_of: calls it once.
        num_steps: how often to.

    Returns:
        Names of the last losses, names of parameters without a gradient and
        the sum of the gradients' sizes.
    """
    for _ in range(num_steps):
        losses = losses_of(model)
        sum(losses.values()).backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    sizes = [p.grad.abs().sum() for p in model.parameters()]
    return sorted(losses), missing, float(sum(sizes))
