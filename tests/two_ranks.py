"""Runs a function on both ranks of a gloo group."""

import datetime
import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def _run(rank, function, folder):
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder / "store"}',
        rank=rank,
        world_size=2,
        timeout=datetime.timedelta(seconds=120),
    )
    torch.set_num_threads(1)
    torch.save(function(rank), folder / f'{rank}.pt')
    # Not by returning: gloo's tear-down sometimes never ends.
    os._exit(0)


def on_two_ranks(function, folder, start_method='spawn'):
    """What ``function(rank)`` returns on rank 0 and on rank 1.

    Args:
        function: of a module; returns tensors, numbers, strings and lists.
        folder: for the group's files; empty.
        start_method: ``'fork'`` saves the imports, where nothing was
            differentiated before.
    """
    mp.start_processes(
        _run,
        (function, folder),
        nprocs=2,
        daemon=True,
        start_method=start_method,
    )
    return [torch.load(folder / f'{rank}.pt') for rank in range(2)]
