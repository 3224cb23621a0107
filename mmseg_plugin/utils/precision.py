"""Full precision in the midst of autocast."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

Result = TypeVar('Result')
# Naming a device that is not there is a warning each time.
_ACCELERATOR = None
if torch.accelerator.is_available():
    _DEVICE = torch.accelerator.current_accelerator()
    _ACCELERATOR = None if _DEVICE is None else _DEVICE.type


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half and bfloat16 to float32; float32 and float64 as they are."""
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if half else tensor


def without_autocast(method: Callable[..., Result]) -> Callable[..., Result]:
    """Runs a function outside autocast, on the CPU and the accelerator."""

    @functools.wraps(method)
    def run(*args: object, **kwargs: object) -> Result:
        # No stack of contexts: torch.compile would break the graph there.
        with torch.autocast('cpu', enabled=False):
            if _ACCELERATOR is None:
                return method(*args, **kwargs)
            with torch.autocast(_ACCELERATOR, enabled=False):
                return method(*args, **kwargs)

    return run


def float32_island(method: Callable[..., Result]) -> Callable[..., Result]:
    """Runs a method outside autocast, on float32 at least.

    With ``self.autocast`` set it runs as it is called.
    """
    outside = without_autocast(method)

    @functools.wraps(method)
    def run(self: Any, *args: object, **kwargs: object) -> Result:
        if self.autocast:
            return method(self, *args, **kwargs)
        return outside(self, *_in_float32(args), **_in_float32(kwargs))

    return run


def _in_float32(values: Any) -> Any:
    return tree_map_only(Tensor, at_least_float32, values)


def _inputs(module: nn.Module, args: tuple) -> object:
    return _in_float32(args)


def _outputs(module: nn.Module, args: tuple, outs: object) -> object:
    return _in_float32(outs)


def give_float32(module: nn.Module) -> None:
    """Outputs of a module, as it is called, to float32 at least."""
    module.register_forward_hook(_outputs)


def take_float32(module: nn.Module) -> None:
    """Positional inputs of a module to float32 at least."""
    module.register_forward_pre_hook(_inputs)
