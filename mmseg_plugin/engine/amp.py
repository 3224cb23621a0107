"""``--amp`` on a machine without a GPU: bfloat16 on the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import autocast
from torch import nn

_BFLOAT16 = (None, 'bfloat16', torch.bfloat16)


class CPUAmpOptimWrapper(OptimWrapper):
    """Takes the place of MMEngine's ``AmpOptimWrapper`` on a CPU.

    The forward pass runs in bfloat16 autocast, which needs no loss scale:
    its range is that of float32.

    Args:
        loss_scale: of the wrapper for GPUs; not used.
        dtype: None or ``'bfloat16'``.
        use_fsdp: of the wrapper for GPUs; not used.
        **kwargs: of ``OptimWrapper``.

    Raises:
        ValueError: another ``dtype``.
    """

    def __init__(
        self,
        loss_scale: str | float | dict = 'dynamic',
        dtype: str | torch.dtype | None = None,
        use_fsdp: bool = False,
        **kwargs: Any,
    ) -> None:
        if dtype not in _BFLOAT16:
            raise ValueError(
                f'optim_wrapper.dtype is {dtype!r}, which trains on a GPU '
                "only: set it to 'bfloat16', or train without --amp"
            )
        super().__init__(**kwargs)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast around the forward pass."""
        with (
            super().optim_context(model),
            autocast(device_type='cpu', dtype=torch.bfloat16),
        ):
            yield

    def load_state_dict(self, state_dict: dict) -> None:
        """Also takes the state of a run on a GPU, without its loss scale."""
        state_dict.pop('loss_scaler', None)
        super().load_state_dict(state_dict)


def register_cpu_amp() -> None:
    """Where only a CPU is, ``AmpOptimWrapper`` means the class above.

    MMEngine's own cannot be built there.
    """
    if get_device() == 'cpu':
        OPTIM_WRAPPERS.register_module(
            name=AmpOptimWrapper.__name__,
            module=CPUAmpOptimWrapper,
            force=True,
        )
