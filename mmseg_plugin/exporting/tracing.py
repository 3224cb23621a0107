"""What torch's exporter to ONNX cannot take, written otherwise."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def _unflatten(tensor: Tensor, dim: int, sizes: Any) -> Tensor:
    # The exporter's own fixes the other sides at those of the example.
    dim %= tensor.dim()
    shape = tensor.shape
    return tensor.reshape(*shape[:dim], *sizes, *shape[dim + 1 :])


def _matrix_transpose(tensor: Tensor) -> Tensor:
    return tensor.transpose(-2, -1)


def _topk(tensor: Tensor, k: int, dim: int = -1) -> Any:
    # A small image may have fewer.
    most: Any = torch.minimum(
        torch.tensor(k), torch.as_tensor(tensor.shape[dim])
    )
    return torch.topk(tensor, most, dim)


def _scatter(tensor: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        # A trace takes no bool for a number.
        value = torch.full_like(index, int(value)).to(tensor.dtype)
    return tensor.scatter(dim, index, value)


def _linspace(start: float, end: float, steps: Any, **kind: Any) -> Tensor:
    # The exporter's own has the number of steps of the example.
    places = torch.arange(steps, **kind)
    gaps = torch.as_tensor(steps).to(places).clamp(min=2) - 1
    return places * ((end - start) / gaps) + start


def _cartesian_prod(*tensors: Tensor) -> Tensor:
    grids = torch.meshgrid(*tensors, indexing='ij')
    return torch.stack(grids, -1).flatten(0, -2)


def _and(tensor: Tensor, other: Tensor) -> Tensor:
    return tensor & other


_WRITTEN: dict[Any, Callable] = {
    torch.Tensor.mT.__get__: _matrix_transpose,  # type: ignore[attr-defined]
    torch.Tensor.unflatten: _unflatten,
    torch.Tensor.__iand__: _and,
    torch.Tensor.scatter_: _scatter,
    torch.Tensor.topk: _topk,
    torch.linspace: _linspace,
    torch.cartesian_prod: _cartesian_prod,
}


class WrittenOtherwise(TorchFunctionMode):
    """Replaces operators that have no form in ONNX by others of one result.

    ``Tensor.mT``, ``torch.cartesian_prod`` and ``&=`` are unknown to the
    exporter of traces (torch 2.13), and what it makes of ``unflatten`` and
    ``linspace`` fits the sizes of the example alone. ``&=`` and ``scatter_``
    leave their left side as it was, for others who hold it.
    """

    def __torch_function__(
        self,
        func: Callable,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        return _WRITTEN.get(func, func)(*args, **(kwargs or {}))
