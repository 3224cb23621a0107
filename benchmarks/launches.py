"""Counts the operators that a step dispatches, the same on every machine.

Each of them, but for views and allocations, is at least one kernel that a
GPU's host has to launch.
"""

from collections import Counter
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ALLOCATIONS = {'empty', 'empty_like', 'new_empty', 'empty_strided'}


class Launches(TorchDispatchMode):
    """Operators seen while it is entered, those of gradients too.

    Attributes:
        names: how often each operator was called.
        touched: bytes of all their inputs and outputs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.touched = 0

    @property
    def count(self) -> int:
        """Number of operators."""
        return self.names.total()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name not in ALLOCATIONS and not _is_view(func):
            self.names[name] += 1
            # What is overwritten unseen is no input.
            given = args[1:] if name == 'copy_' else args
            self.touched += sum(
                leaf.numel() * leaf.element_size()
                for leaf in tree_leaves((given, kwargs, out))
                if isinstance(leaf, Tensor)
            )
        return out


def _is_view(func: Any) -> bool:
    """Whether the result shares memory that the operator does not write."""
    aliases = [value.alias_info for value in func._schema.returns]
    return any(alias and not alias.is_write for alias in aliases)
