"""RoIAlign ("Mask R-CNN", arXiv 1703.06870, section 3), mean and maximum.

The mean of bilinear samples is a product of one set of weights for rows and
one for columns, so that a bin costs as many pixels as it covers, however
many samples it has.
"""

from collections.abc import Iterable
from functools import reduce

import torch
from torch import Tensor

from mmseg_plugin.utils import host

from .bilinear import outer
from .roi_align_max import gradient_of_largest, largest_samples
from .roi_bins import Spread, samples_of_bins, spread
from .rows import as_maps, as_table, gather_rows, scatter_rows

# Indices of pixels that are made at once, and channels that are copied.
_CHUNK = 2**20
_CHANNELS = 16


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Divides regions into bins and takes the mean or maximum of samples.

    Args:
        input: (B, C, H, W).
        rois: (R, 5), image and (x1, y1, x2, y2).
        output: written to, (R, C, h, w).
        argmax_y: written to with ``pool_mode`` 0: which row of samples of a
            bin has the largest, -1 for none, the shape of ``output``. Its
            position would be rounded in half precision.
        argmax_x: the same of its column.
        aligned_height: h.
        aligned_width: w.
        spatial_scale: size of the map over that of the boxes' image.
        sampling_ratio: samples of a bin on each axis; 0 for one a pixel,
            whose number takes a synchronisation.
        pool_mode: 0 for the maximum, 1 for the mean.
        aligned: whether boxes are shifted by half a pixel, as they should.
    """
    options = (
        *(aligned_height, aligned_width),
        *(spatial_scale, sampling_ratio, aligned),
    )
    if pool_mode == 1:
        write_means(output, input, rois, *options)
        return
    best = largest_samples(input, rois, *options)
    for target, found in zip((output, argmax_y, argmax_x), best, strict=True):
        target.copy_(found)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Writes the gradient of ``input`` to ``grad_input``, its shape.

    Args as of :func:`roi_align_forward`; ``grad_output`` is (R, C, h, w).
    """
    options = (
        *(aligned_height, aligned_width),
        *(spatial_scale, sampling_ratio, aligned),
    )
    if pool_mode == 0:
        found = gradient_of_largest(
            *(grad_output, rois, argmax_y, argmax_x, grad_input.shape),
            *options,
        )
        grad_input.copy_(found)
        return
    write_gradient(grad_input, grad_output, rois, *options)


@torch.library.custom_op(
    'mmseg_plugin::roi_align_mean', mutates_args=('output',)
)
def write_means(
    output: Tensor,
    input: Tensor,
    rois: Tensor,
    height: int,
    width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """The mean of the samples of each bin, (R, C, h, w), to ``output``."""
    bins = _Bins(
        *(rois, input.shape, (height, width)),
        *(spatial_scale, sampling_ratio, aligned),
    )
    bins.means(input, output)


@torch.library.custom_op(
    'mmseg_plugin::roi_align_grad', mutates_args=('output',)
)
def write_gradient(
    output: Tensor,
    grad: Tensor,
    rois: Tensor,
    height: int,
    width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> None:
    """Gradient of the means by their input, (B, C, H, W), to ``output``."""
    bins = _Bins(
        *(rois, output.shape, (height, width)),
        *(spatial_scale, sampling_ratio, aligned),
    )
    bins.gradient(grad, output)


class _Bins:
    """Bins of regions, and the pixels of each.

    Args:
        rois: (R, 5).
        size: of the maps, (B, C, H, W).
        bins: (h, w) of the output.
        spatial_scale: as of :func:`roi_align_forward`, like the rest.
        sampling_ratio: there.
        aligned: there.
    """

    def __init__(
        self,
        rois: Tensor,
        size: torch.Size,
        bins: tuple[int, int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool,
    ) -> None:
        self.size = size
        self.bins = bins
        self.image, found = samples_of_bins(
            rois, bins, spatial_scale, sampling_ratio, aligned
        )
        # Elsewhere a synchronisation costs more than the arithmetic saved.
        compact = host.on_host(rois) or sampling_ratio <= 0
        self.rows, self.columns = (
            spread(of_axis, length, compact=compact)
            for of_axis, length in zip(found, size[2:], strict=True)
        )

    def in_two_steps(self) -> bool:
        """Whether whole rows first, then columns, is less work.

        So it is for few channels and large regions: targets of masks.
        """
        _, channels, _, width = self.size
        down, along = self.rows.pixel.shape[2], self.columns.pixel.shape[2]
        # A row costs its channels and about eight for finding it.
        at_once = self.bins[1] * down * along * (channels + 8)
        rows = down * (width * channels + 8)
        return rows + self.bins[1] * along * (channels + 8) < at_once

    def means(self, maps: Tensor, output: Tensor) -> None:
        """(B, C, H, W) to (R, C, h, w)."""
        if self.in_two_steps():
            table = as_table(maps).view(-1, self.size[3] * self.size[1])
            # Of a bin of a region, by its share of lines or by pixels.
            along = self.columns.pixel.shape[2]
            per_bin = max(along, table.shape[1] // self.bins[1])
            for part in self._parts(per_bin, _CHUNK // 8):
                lines = gather_rows(table, *_flat(self._lines(part)))
                rows = lines.view(-1, self.size[1])
                means = gather_rows(rows, *_flat(self._along(part)))
                output[part] = self._unfolded(means).to(output)
            return
        chunks, channels = self._chunks()
        for group in channels:
            table = as_table(maps[:, group])
            for regions, *taken in chunks:
                means = gather_rows(table, *taken)
                output[regions, group] = self._unfolded(means).to(output)

    def gradient(self, grad: Tensor, output: Tensor) -> None:
        """(R, C, h, w) to (B, C, H, W)."""
        batch, channels, height, width = self.size
        if self.in_two_steps():
            lines = scatter_rows(
                as_table(grad),
                *_flat(self._along()),
                len(self.image) * self.bins[0] * width,
            )
            lines = lines.view(-1, width * channels)
            table = scatter_rows(lines, *_flat(self._lines()), batch * height)
            output.copy_(as_maps(table, output))
            return
        chunks, groups = self._chunks()
        for group in groups:
            found = (
                scatter_rows(
                    as_table(grad[regions, group]),
                    *part,
                    batch * height * width,
                )
                for regions, *part in chunks
            )
            # None of them is added to zeros, which would be one map more.
            table = reduce(Tensor.add_, found)
            target = output[:, group]
            target.copy_(as_maps(table, target))

    def _unfolded(self, rows: Tensor) -> Tensor:
        """(R * h * w, C) to (R, C, h, w)."""
        return rows.view(-1, *self.bins, rows.shape[1]).permute(0, 3, 1, 2)

    def _lines(self, part: slice = slice(None)) -> Spread:
        """Rows of maps that each row of bins of regions takes."""
        first = self.image[part, None, None] * self.size[2]
        return Spread(first + self.rows.pixel[part], self.rows.weight[part])

    def _along(self, part: slice = slice(None)) -> Spread:
        """Pixels of its line that each bin of regions takes, (R, h * w, K)."""
        count = len(self.image[part]) * self.bins[0]
        line = torch.arange(count, device=self.image.device, dtype=torch.int32)
        first = (line * self.size[3]).view(-1, self.bins[0], 1, 1)
        index = first + self.columns.pixel[part, None]
        weight = self.columns.weight[part, None].expand(index.shape)
        return Spread(index.flatten(1, 2), weight.flatten(1, 2))

    def _parts(self, per_bin: int, most: int) -> list[slice]:
        """Some regions at a time, with at most so many pixels of bins."""
        per_region = self.bins[0] * self.bins[1] * per_bin
        step = max(1, most // max(per_region, 1))
        count = len(self.image)
        # One if there is none.
        return [slice(i, i + step) for i in range(0, max(count, 1), step)]

    def _chunks(
        self,
    ) -> tuple[Iterable[tuple[slice, Tensor, Tensor]], list[slice]]:
        """Regions with the pixels of their bins and these' shares.

        Returns:
            Some regions at a time; and the channels to take at a time: some
            if all regions are taken at once, else all of them, so that
            neither the pixels nor copies of maps take much memory.
        """
        per_bin = self.rows.pixel.shape[2] * self.columns.pixel.shape[2]
        parts = self._parts(per_bin, _CHUNK)
        channels = self.size[1]
        if len(parts) > 1:
            chunks = ((part, *self._pixels(part)) for part in parts)
            return chunks, [slice(0, channels)]
        every = parts[0]
        return [(every, *self._pixels(every))], [
            slice(i, i + _CHANNELS) for i in range(0, channels, _CHANNELS)
        ]

    def _pixels(self, part: slice) -> tuple[Tensor, Tensor]:
        line = self.image[part, None, None] * self.size[2]
        line = (line + self.rows.pixel[part]) * self.size[3]
        column = self.columns.pixel[part]
        index = line[:, :, None, :, None] + column[:, None, :, None]
        weight = outer(
            self.rows.weight[part, :, None], self.columns.weight[part, None]
        )
        return index.flatten(3).flatten(0, 2), weight.flatten(0, 2)


def _flat(found: Spread) -> tuple[Tensor, Tensor]:
    return found.pixel.flatten(0, 1), found.weight.flatten(0, 1)
