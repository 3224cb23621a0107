"""How large the largest new tensor is that some code makes."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class LargestTensor(TorchDispatchMode):
    """Records the bytes of the largest tensor that is no view of an input.

    Args:
        inputs: tensors that exist already.
    """

    def __init__(self, *inputs: torch.Tensor) -> None:
        super().__init__()
        self.known = {t.untyped_storage().data_ptr() for t in inputs}
        self.megabytes = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        results = func(*args, **(kwargs or {}))
        for tensor in results if isinstance(results, tuple) else [results]:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage.data_ptr() not in self.known:
                    size = storage.nbytes() / 2**20
                    self.megabytes = max(self.megabytes, size)
        return results
