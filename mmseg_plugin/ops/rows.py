"""Weighted sums of the rows of a table: what most operators come down to.

A feature map is a table with a row of channels for each pixel. Bilinear
samples, and means of them, are weighted sums of rows; their gradient adds
rows up where they came from.
"""

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor

from mmseg_plugin.utils import host
from mmseg_plugin.utils.precision import at_least_float32

# Torch says so at the first sparse matrix of a process.
warnings.filterwarnings('ignore', 'Sparse CSR tensor support is in beta')


def as_table(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) to rows (B * h * w, C), at least float32."""
    rows = at_least_float32(maps).permute(0, 2, 3, 1)
    return rows.reshape(-1, maps.shape[1]).contiguous()


def as_maps(table: Tensor, like: Tensor) -> Tensor:
    """The reverse: rows (B * h * w, C) to maps of the shape of ``like``."""
    batch, _, height, width = like.shape
    return table.view(batch, height, width, -1).permute(0, 3, 1, 2)


def gather_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sums of K weighted rows each.

    Args:
        table: (R, C).
        index: int32 (M, K).
        weight: (M, K), of the table's type.

    Returns:
        (M, C).
    """
    if not (index.numel() and table.numel()):
        return table.new_zeros(len(index), table.shape[1])
    return F.embedding_bag(index, table, mode='sum', per_sample_weights=weight)


@torch.library.custom_op('mmseg_plugin::scatter_rows', mutates_args=())
def scatter_rows(
    grad: Tensor, index: Tensor, weight: Tensor, num_rows: int
) -> Tensor:
    """Gradient of :func:`gather_rows` with respect to its table.

    On a CPU a product with the transposed sparse matrix of the weights;
    elsewhere one addition for each of the K columns, without a
    synchronisation.

    Args:
        grad: of the sums, (M, C).
        index: int32 (M, K).
        weight: (M, K).
        num_rows: R.

    Returns:
        (R, C).
    """
    if not index.numel():
        return grad.new_zeros(num_rows, grad.shape[1])
    if host.on_host(grad):
        ends = np.arange(0, index.numel() + 1, index.shape[1])
        matrix = csr_matrix(
            (weight.flatten().numpy(), index.flatten().numpy(), ends),
            shape=(len(index), num_rows),
        )
        return torch.from_numpy(matrix.T @ grad.contiguous().numpy())
    table = grad.new_zeros(num_rows, grad.shape[1])
    for column, share in zip(index.unbind(1), weight.unbind(1), strict=True):
        table.index_add_(0, column, grad * share[:, None])
    return table


@scatter_rows.register_fake
def _(grad: Tensor, index: Tensor, weight: Tensor, num_rows: int) -> Tensor:
    return grad.new_empty(num_rows, grad.shape[1])


@torch.library.custom_op('mmseg_plugin::row_products', mutates_args=())
def row_products(grad: Tensor, table: Tensor, index: Tensor) -> Tensor:
    """Gradient of :func:`gather_rows` with respect to its weights.

    Args:
        grad: of the sums, (M, C).
        table: (R, C).
        index: int32 (M, K).

    Returns:
        (M, K).
    """
    bags, per_bag = index.shape
    if not (index.numel() and table.numel()):
        return grad.new_zeros(bags, per_bag)
    if host.on_host(grad) and per_bag <= len(table):
        # The places of a sparse matrix at which a product is wanted: a third
        # of the time of a call of BLAS for each of them, as below. A matrix
        # with more of them than it has room for is refused.
        ends = torch.arange(0, index.numel() + 1, per_bag, dtype=index.dtype)
        places = torch.sparse_csr_tensor(
            *(ends, index.flatten(), grad.new_zeros(index.numel())),
            size=(bags, len(table)),
            check_invariants=False,
        )
        products = torch.sparse.sampled_addmm(places, grad, table.T, beta=0)
        return products.values().view(bags, per_bag)
    count = torch.arange(bags, device=index.device, dtype=index.dtype)
    products = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        grad.contiguous(),
        table,
        index.flatten(),
        count * per_bag,
        count.repeat_interleave(per_bag, output_size=index.numel()),
        0,
    )
    return products.view(bags, per_bag)


@row_products.register_fake
def _(grad: Tensor, table: Tensor, index: Tensor) -> Tensor:
    return grad.new_empty(index.shape)
