"""The one walk over dense maps of masks, as many at a time as memory allows.

Mask logits are kept as factors. Wherever their product is needed, it is made
for some rows of one image after the other, by this walk.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

# Values that exist at a time. On a CPU, what its caches hold; elsewhere each
# chunk costs launches of kernels, and half a gigabyte is little.
CPU_BUDGET = 2**22
BUDGET = 2**27
# Chunks that a CPU multiplies together: its products like more rows than the
# rest does.
CPU_PRODUCTS = 2


def map_budget(device: torch.device, chosen: int | None = None) -> int:
    """Most values of maps that may exist at a time on a device.

    Args:
        device: where the maps are.
        chosen: an option that says otherwise.
    """
    if chosen is not None:
        return chosen
    return CPU_BUDGET if device.type == 'cpu' else BUDGET


class MapChunks:
    """Rows of maps in chunks: image by image, a few at a time.

    Args:
        counts: number of rows of each image; rows lie in its order.
        size: values of one map.
        device: where the maps will be.
        budget: most values at a time, but at least one map's; by the device
            if None.
        multiple: chunks begin at multiples of so many rows of an image
            where they hold as many.
    """

    def __init__(
        self,
        counts: Sequence[int],
        size: int,
        device: torch.device,
        budget: int | None = None,
        multiple: int = 1,
    ) -> None:
        self.counts = counts
        self.budget = map_budget(device, budget)
        wide = budget is None and device.type == 'cpu'
        self.together = CPU_PRODUCTS if wide else 1
        step = max(self.budget // max(size, 1), 1)
        self.step = max(step // multiple, 1) * multiple
        if multiple > step:
            self.step = step

    def __iter__(self) -> Iterator[tuple[int, slice]]:
        """Each image with its rows, at most ``step`` at a time."""
        first = 0
        for image, count in enumerate(self.counts):
            end = first + count
            for start in range(first, end, self.step):
                yield image, slice(start, min(start + self.step, end))
            first = end

    def within(self, image: int, rows: slice) -> slice:
        """Rows as numbered among those of their image."""
        first = sum(self.counts[:image])
        return slice(rows.start - first, rows.stop - first)

    def maps(
        self, embed: Tensor, columns: Tensor
    ) -> Iterator[tuple[int, slice, Tensor]]:
        """Products that live until the next one, without a graph.

        Args:
            embed: (M, D), the rows.
            columns: (B, D, N), pixels or points of each image.

        Yields:
            Image, rows and values (n, N).
        """
        most = min(self.together * self.step, max(self.counts, default=0))
        # One buffer: the system hands out fresh large ones slowly.
        room = embed.new_empty(most, columns.shape[2])
        end = 0
        for image, rows in self:
            if rows.start >= end:
                start = rows.start
                last = sum(self.counts[: image + 1])
                end = min(start + most, last)
                maps = room[: end - start]
                torch.mm(embed[start:end], columns[image], out=maps)
            yield image, rows, maps[rows.start - start : rows.stop - start]


class FactorGradients:
    """Collects gradients of maps as those of their factors.

    Laid out the same way whatever the factors are, so that what is written
    into a view arrives in them.

    Args:
        embed: (M, D), the rows, all of which get a gradient.
        columns: (B, D, ...), pixels or points of each image.
    """

    def __init__(self, embed: Tensor, columns: Tensor) -> None:
        self.factors = embed, columns.flatten(2)
        self.embed = embed.new_empty(embed.shape)
        # Channels last: their sum of few rows' products takes less time. No
        # view of something else, or autograd would add the gradients of two
        # losses in a third tensor instead of the first one.
        batch, channels, *space = columns.shape
        layout = torch.empty(batch, *space, channels, device='meta')
        self.columns = torch.empty_strided(
            columns.shape,
            layout.movedim(-1, 1).stride(),
            dtype=columns.dtype,
            device=columns.device,
        )
        self.seen: set[int] = set()

    def add(self, image: int, rows: slice, grad_maps: Tensor) -> None:
        """Adds the gradient (n, N) of the product of rows and an image."""
        embed, columns = self.factors
        torch.mm(grad_maps, columns[image].T, out=self.embed[rows])
        # The first overwrites what the memory held.
        beta = int(image in self.seen)
        pixels = self.columns[image].flatten(1).T
        pixels.addmm_(grad_maps.T, embed[rows], beta=beta)
        self.seen.add(image)

    def collected(self) -> tuple[Tensor, Tensor]:
        """Gradients of both factors, zero for images without rows."""
        for image in set(range(len(self.columns))) - self.seen:
            self.columns[image].zero_()
        return self.embed, self.columns
