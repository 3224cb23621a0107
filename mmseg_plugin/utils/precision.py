"""Full precision in the midst of autocast."""

import functools
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar('Result')


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half and bfloat16 to float32; float32 and float64 as they are."""
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if half else tensor


def without_autocast(method: Callable[..., Result]) -> Callable[..., Result]:
    """Runs a function outside autocast, on every kind of device."""

    @functools.wraps(method)
    def run(*args: object, **kwargs: object) -> Result:
        with (
            torch.autocast('cuda', enabled=False),
            torch.autocast('cpu', enabled=False),
        ):
            return method(*args, **kwargs)

    return run
