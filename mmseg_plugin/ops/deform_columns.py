"""Samples and gradients that both deformable convolutions share.

Source: "Deformable Convolutional Networks" (arXiv 1703.06211), section 2.1,
and "Deformable ConvNets v2" (arXiv 1811.11168), section 3.2.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mmseg_plugin.utils import host

from .bilinear import Pair, corners, outer, zero_padded
from .rows import gather_rows, row_products, scatter_rows

# Values of samples that exist at a time, but at least as many as the image
# has: each strip adds to the gradient of all of it.
_CPU_BUDGET = 2**17
_BUDGET = 2**27


class Geometry(NamedTuple):
    """Where a convolution looks; each a pair, height first."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]


class Columns:
    """What the kernel sees of one image, some rows of the output at a time.

    Args:
        image: (C, H, W).
        offset: (D * kh * kw * 2, h, w): of D groups of channels and each
            place of the kernel, how far to look down and right.
        mask: (D * kh * kw, h, w), what each sample is multiplied by; ones
            if None.
        geometry: of the convolution.
        groups: D.
    """

    def __init__(
        self,
        image: Tensor,
        offset: Tensor,
        mask: Tensor | None,
        geometry: Geometry,
        groups: int,
    ) -> None:
        self.shape = image.shape
        self.offset = offset
        self.mask = mask
        self.geometry = geometry
        self.groups = groups
        self.table = image.permute(1, 2, 0).reshape(-1, len(image) // groups)
        self.table = self.table.contiguous()

    def strips(self) -> list[slice]:
        """Rows of the output whose samples may exist at a time."""
        budget = _CPU_BUDGET if host.on_host(self.table) else _BUDGET
        height, width = self.offset.shape[1:]
        kernel = self.geometry.kernel
        a_row = width * kernel[0] * kernel[1] * self.shape[0]
        step = max(budget, self.table.numel()) // max(a_row, 1)
        step = max(step, 1)
        return [slice(i, i + step) for i in range(0, height, step)]

    def strip(self, rows: slice) -> 'Strip':
        """What is seen from these rows of the output."""
        return Strip(self, rows)

    def as_image(self, table: Tensor) -> Tensor:
        """Rows of the table to (C, H, W)."""
        return table.view(*self.shape[1:], -1).permute(2, 0, 1)


class Strip:
    """What the kernel sees from some rows of the output.

    Args:
        columns: of the whole image.
        out_rows: of the output.
    """

    def __init__(self, columns: Columns, out_rows: slice) -> None:
        geometry, self.groups = columns.geometry, columns.groups
        places = geometry.kernel[0] * geometry.kernel[1]
        shift = columns.offset[:, out_rows]
        # (h, w, place, group), so that the channels of all groups of a
        # sample lie side by side.
        shift = shift.unflatten(0, (self.groups, places, 2))
        shift = shift.permute(3, 4, 1, 0, 2)
        self.out_shape = tuple(shift.shape[:2])
        self.rows, self.columns = _positions(
            shift, geometry, columns.shape, out_rows.start
        )
        self.mask = None
        if columns.mask is not None:
            shares = columns.mask[:, out_rows]
            shares = shares.unflatten(0, (self.groups, places))
            self.mask = shares.permute(2, 3, 1, 0).flatten()[:, None]
        pixel = corners(self.rows, self.columns, columns.shape[2])
        group = torch.arange(
            self.groups, device=pixel.device, dtype=torch.int32
        )
        index = pixel * self.groups + group[:, None]
        self.index = index.flatten(0, -2)
        self.table = columns.table
        self.weight = outer(self.rows.weight, self.columns.weight)
        self.weight = self.weight.flatten(0, -2)

    def samples(self) -> Tensor:
        """Of each output pixel, (h * w, kh * kw * C)."""
        weight = self.weight if self.mask is None else self.weight * self.mask
        sampled = gather_rows(self.table, self.index, weight)
        return sampled.view(self.out_shape[0] * self.out_shape[1], -1)

    def gradients(self, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the image, the offsets and the mask.

        Args:
            grad: of :meth:`samples`.

        Returns:
            What to add to the table's, and (D * kh * kw * 2, h, w), and
            (D * kh * kw, h, w).
        """
        grad = grad.reshape(len(self.index), -1)
        weight = self.weight if self.mask is None else self.weight * self.mask
        table = scatter_rows(grad, self.index, weight, len(self.table))
        products = row_products(grad, self.table, self.index)
        mask = (products * self.weight).sum(1)
        if self.mask is not None:
            products = products * self.mask
        down = outer(self.rows.slope, self.columns.weight).flatten(0, -2)
        right = outer(self.rows.weight, self.columns.slope).flatten(0, -2)
        offset = torch.stack(
            [(products * down).sum(1), (products * right).sum(1)], 1
        )
        return table, self._as_maps(offset), self._as_maps(mask[:, None])

    def _as_maps(self, values: Tensor) -> Tensor:
        """(h * w * place * group, k) to (group * place * k, h, w)."""
        values = values.view(*self.out_shape, -1, self.groups, values.shape[1])
        return values.permute(3, 2, 4, 0, 1).flatten(0, 2)


def _positions(
    shift: Tensor, geometry: Geometry, shape: torch.Size, first: int
) -> tuple[Pair, Pair]:
    """Rows and columns around where each place looks.

    Args:
        shift: (h, w, kh * kw, D, 2).
        geometry: of the convolution.
        shape: (C, H, W).
        first: row of the output that ``shift`` begins with.
    """
    pairs = []
    for axis in (0, 1):
        out = torch.arange(shift.shape[axis], device=shift.device)
        if axis == 0:
            out = out + first
        place = torch.arange(geometry.kernel[axis], device=shift.device)
        start = out * geometry.stride[axis] - geometry.padding[axis]
        step = place * geometry.dilation[axis]
        repeats = geometry.kernel[1 - axis]
        if axis == 0:
            start, step = start[:, None], step.repeat_interleave(repeats)
        else:
            step = step.repeat(repeats)
        position = (start[..., None] + step)[..., None] + shift[..., axis]
        pairs.append(zero_padded(position, shape[1 + axis]))
    return pairs[0], pairs[1]


def convolve(
    columns: Columns,
    kernel: Tensor,
    groups: int,
    bias: Tensor | None,
    output: Tensor,
) -> None:
    """Writes the convolution of an image to ``output``, (O, h, w).

    Args:
        columns: of the image.
        kernel: (O, C / groups, kh, kw).
        groups: of the convolution.
        bias: (O,).
        output: written to.
    """
    for rows in columns.strips():
        samples = columns.strip(rows).samples()
        found = apply_kernel(samples, kernel, groups)
        if bias is not None:
            found = found + bias[:, None]
        output[:, rows] = found.unflatten(1, (-1, output.shape[2]))


def apply_kernel(samples: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Multiplies samples by the kernel.

    Args:
        samples: (P, kh * kw * C).
        weight: (O, C / groups, kh, kw).
        groups: of the convolution.

    Returns:
        (O, P).
    """
    kernel = _grouped(weight, groups)
    seen = samples.view(len(samples), -1, groups, weight.shape[1])
    seen = seen.permute(2, 1, 3, 0).flatten(1, 2)
    return torch.bmm(kernel.transpose(1, 2), seen).flatten(0, 1)


def _grouped(weight: Tensor, groups: int) -> Tensor:
    """(O, C / groups, kh, kw) to (groups, kh * kw * C / groups, O / groups)"""
    kernel = weight.flatten(2).unflatten(0, (groups, -1))
    return kernel.permute(0, 3, 2, 1).flatten(1, 2)


def samples_gradient(weight: Tensor, groups: int, grad: Tensor) -> Tensor:
    """Gradient of :func:`apply_kernel` by the samples.

    Args:
        weight: as there.
        groups: as there.
        grad: of the output, (O, P).
    """
    num_pixels = grad.shape[1]
    grad = grad.unflatten(0, (groups, -1))
    seen = torch.bmm(grad.transpose(1, 2), _grouped(weight, groups).mT)
    seen = seen.view(groups, num_pixels, -1, weight.shape[1])
    return seen.permute(1, 2, 0, 3).reshape(num_pixels, -1)


def weight_gradient(
    samples: Tensor, like: Tensor, groups: int, grad: Tensor
) -> Tensor:
    """Gradient of :func:`apply_kernel` by the weight.

    Args:
        samples: as there.
        like: a tensor of the weight's shape.
        groups: as there.
        grad: of the output, (O, P).
    """
    grad = grad.unflatten(0, (groups, -1))
    seen = samples.view(len(samples), -1, groups, like.shape[1])
    seen = seen.permute(2, 1, 3, 0).flatten(1, 2)
    kernel = torch.bmm(seen, grad.transpose(1, 2))
    kernel = kernel.unflatten(1, (-1, like.shape[1])).permute(0, 3, 2, 1)
    return kernel.reshape(like.shape)
