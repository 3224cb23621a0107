"""The same weights run in another way, without a change of the module.

A view shares parameters and buffers with its module and holds no state of
its own, so what activation checkpointing runs again long after the forward
pass, or another thread runs meanwhile, computes the same.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Module = TypeVar('Module', bound=nn.Module)


def with_children(module: Module, **children: Any) -> Module:
    """A view with other children.

    Args:
        module: stays as it is.
        children: what the view has in place of its children of these names;
            callables, or lists of callables, will do.
    """
    view = copy.copy(module)
    view._modules = {**module._modules, **children}
    return view


def frozen_statistics(module: Module) -> Module:
    """A view whose batch norms use their running statistics and keep them.

    They are those of this moment, whatever the module is called with before
    the gradients of the view are computed.

    Args:
        module: any module that reaches its norms through its children.
    """
    view = with_children(
        module,
        **{
            name: child if child is None else frozen_statistics(child)
            for name, child in module._modules.items()
        },
    )
    if isinstance(module, _BatchNorm):
        # Of the view alone.
        view.training = False
        if module.training:
            # The module's own will have moved on when a gradient, or the
            # recomputation of a checkpoint, asks for them.
            view._buffers = {
                name: buffer if buffer is None else buffer.clone()
                for name, buffer in module._buffers.items()
            }
    return view


def keeping_inputs(
    module: Callable[[Tensor], Tensor], inputs: list[Tensor]
) -> Callable[[Tensor], Tensor]:
    """Calls ``module`` and appends what it was given to ``inputs``."""

    def run(x: Tensor) -> Tensor:
        inputs.append(x)
        return module(x)

    return run
