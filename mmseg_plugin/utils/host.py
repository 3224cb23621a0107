"""Between host and device, with every synchronisation counted."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from mmseg_plugin.utils.precision import without_autocast

Key = ParamSpec('Key')
Made = TypeVar('Made')

host_copies: Counter[str] = Counter()
# What depends on sizes only is kept for so many of them.
MOST_SIZES = 8


def on_host(tensor: Tensor) -> bool:
    """Whether numbers of it are at hand, without waiting for a device."""
    return tensor.is_cpu


def to_host(tensor: Tensor, reason: str) -> Tensor:
    """Copies a tensor to the CPU and counts that under ``reason``.

    Each such copy is a synchronisation in a training step, so all of them
    pass here and tests count them.
    """
    host_copies[reason] += 1
    return tensor.detach().cpu()


def to_host_together(tensors: Sequence[Tensor], reason: str) -> list[Tensor]:
    """Copies tensors of any types to the CPU by one :func:`to_host`."""
    flat = [t.contiguous().flatten().view(torch.uint8) for t in tensors]
    parts = to_host(torch.cat(flat), reason).split([len(t) for t in flat])
    return [
        # A copy begins where any type may begin.
        (part if like.element_size() == 1 else part.clone())
        .view(like.dtype)
        .view(like.shape)
        for part, like in zip(parts, tensors, strict=True)
    ]


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copies a tensor of the CPU to a device, without a synchronisation."""
    if device.type == 'cuda':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _hashable(value: object) -> object:
    """Lists and sizes to tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value


def made_once(function: Callable[Key, Made]) -> Callable[Key, Made]:
    """Keeps the tensors of a function of sizes, and gives them again.

    Nobody may change them in place. What was used last is kept, for
    :data:`MOST_SIZES` different arguments. A compiled graph makes them for
    itself, out of constants.

    Args:
        function: of sizes, a device and so on; makes tensors
            on that device, without copies from the host.
    """

    @functools.lru_cache(MOST_SIZES)
    @without_autocast
    def make(*key: Any, **named: Any) -> Made:
        # Later they may be part of a training step.
        with torch.inference_mode(False), torch.no_grad():
            return function(*key, **named)

    @functools.wraps(function)
    def give(*key: Key.args, **named: Key.kwargs) -> Made:
        if torch.compiler.is_compiling():
            return function(*key, **named)
        return make(
            *map(_hashable, key),
            **{name: _hashable(value) for name, value in named.items()},
        )

    return give


@made_once
def constants(
    values: tuple[float, ...], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Numbers of the host as a tensor (n,) that is made on the device.

    No synchronisation, and no copy is left in a CUDA graph.
    """
    numbers = [
        torch.full((), value, dtype=dtype, device=device) for value in values
    ]
    return torch.stack(numbers)
