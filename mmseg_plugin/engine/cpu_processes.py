"""``--launcher pytorch`` where no GPU is: processes are joined by gloo."""

import functools
import os
from typing import Any

import mmengine.dist.utils as mmengine_dist
import torch.distributed as dist
from mmengine.device import get_device
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

_WRAPPER = 'MMDistributedDataParallel'


def join_by_gloo(**kwargs: Any) -> None:
    """Joins the processes of ``torchrun``, at a restart as well.

    They then meet in the store of the first start, where the addresses of
    processes that are gone would be found.

    Args:
        **kwargs: of ``init_process_group``.
    """
    found = next(dist.rendezvous('env://'))
    restart = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    store = dist.PrefixStore(f'restart_{restart}', found[0])
    dist.init_process_group(
        'gloo', store=store, rank=found[1], world_size=found[2], **kwargs
    )


def _instead_of_a_gpu(
    backend: str, init_backend: str = 'torch', **kwargs: Any
) -> None:
    """Takes the place of MMEngine's, which asks for a GPU of each process."""
    join_by_gloo(**kwargs)


def register_cpu_processes() -> None:
    """Where only CPUs are, ``torchrun`` trains and tests on them.

    MMEngine sets a CUDA device and wraps the model for it, whatever backend
    its config names.
    """
    wrap = Runner.wrap_model
    if get_device() != 'cpu' or hasattr(wrap, '__wrapped__'):
        return
    mmengine_dist._init_dist_pytorch = _instead_of_a_gpu

    @functools.wraps(wrap)
    def on_cpus(
        self: Runner, model_wrapper_cfg: dict | None, model: nn.Module
    ) -> nn.Module:
        if self.distributed and not is_model_wrapper(model):
            # What MMEngine takes where nothing is given, but the device.
            model_wrapper_cfg = model_wrapper_cfg or {
                'broadcast_buffers': False,
                'find_unused_parameters': self.cfg.get(
                    'find_unused_parameters', False
                ),
            }
            if model_wrapper_cfg.setdefault('type', _WRAPPER) == _WRAPPER:
                model_wrapper_cfg.setdefault('device_ids', None)
        return wrap(self, model_wrapper_cfg, model)

    Runner.wrap_model = on_cpus  # type: ignore[method-assign]
