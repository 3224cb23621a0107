"""Runs a function in processes that are joined by gloo."""

import datetime
import os
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def _run(rank, function, folder, count):
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder / "store"}',
        rank=rank,
        world_size=count,
        timeout=datetime.timedelta(minutes=5),
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.save(function(rank), folder / f'{rank}.pt')
    # Not by returning: gloo's tear-down sometimes never ends.
    os._exit(0)


def on_ranks(function, tmp_path, count=2, seconds=600, start_method='spawn'):
    """What the function returns for each rank.

    Args:
        function: of a module, takes the rank; returns tensors, plain
            numbers, strings and lists and dicts of them.
        tmp_path: an empty folder, where the ranks meet.
        count: number of processes.
        seconds: that it may take.
        start_method: 'forkserver' is quicker, see ``warm.py``. 'fork' hangs
            where this process has computed with threads.

    Raises:
        TimeoutError: it took longer; the processes are ended.
    """
    running = mp.start_processes(
        _run,
        (function, tmp_path, count),
        nprocs=count,
        daemon=True,
        join=False,
        start_method=start_method,
    )
    end = time.monotonic() + seconds
    while not running.join(timeout=1):
        if time.monotonic() > end:
            for process in running.processes:
                process.kill()
            raise TimeoutError(f'{count} processes after {seconds} s')
    return [torch.load(tmp_path / f'{rank}.pt') for rank in range(count)]


def on_two_ranks(function, tmp_path):
    """:func:`on_ranks` of two."""
    return on_ranks(function, tmp_path)


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
