"""Masks of one bit a pixel, from the loader to the device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.structures.instance_masks import InstanceMasks, as_index


class PackedMasks(InstanceMasks):
    """Masks of one image, eight pixels of a row in a byte.

    Take an eighth of the room of bitmaps in the queue between worker and
    trainer, in pinned memory and on the way to the device, where
    :meth:`to_tensor` unpacks them.

    Args:
        bits: uint8 (G, height, ceil(width / 8)), the first pixel in the
            highest bit; 0 behind the last one.
        width: in pixels.

    Raises:
        ValueError: the bits have another shape.
    """

    def __init__(self, bits: Tensor, width: int) -> None:
        if bits.dim() != 3 or bits.shape[2] != -(-width // 8):
            raise ValueError(
                f'bits of shape {tuple(bits.shape)} are no masks of width '
                f'{width}: (number, height, {-(-width // 8)}) is needed'
            )
        self.bits = bits
        self.width = width

    @classmethod
    def from_ndarray(cls, masks: np.ndarray) -> 'PackedMasks':
        """Packs masks (G, height, width) of 0 and 1."""
        bits = np.packbits(np.asarray(masks, bool), axis=2)
        return cls(torch.from_numpy(bits), masks.shape[2])

    @classmethod
    def cat(cls, masks: Sequence['PackedMasks']) -> 'PackedMasks':
        """Masks of one size, one behind the other."""
        if not masks:
            raise ValueError('there are no masks to put together')
        return cls(torch.cat([m.bits for m in masks]), masks[0].width)

    @property
    def height(self) -> int:  # type: ignore[override]
        """In pixels."""
        return self.bits.shape[1]

    @property
    def areas(self) -> np.ndarray:
        """Number of pixels of each mask, int64 (G,)."""
        masks = self.to_ndarray()
        return np.array([np.count_nonzero(m) for m in masks], np.int64)

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, index: object) -> 'PackedMasks':
        if not isinstance(index, slice):
            index = torch.from_numpy(as_index(index, len(self)))
            index = index.to(self.bits.device)
        return PackedMasks(self.bits[index], self.width)

    def corners(self) -> np.ndarray:
        """See the base class."""
        bits: np.ndarray = self.bits.cpu().numpy()
        columns: np.ndarray = np.bitwise_or.reduce(bits, axis=1)
        columns = np.unpackbits(columns, axis=1, count=self.width)
        corners = np.zeros((len(bits), 4), np.float32)
        rows: np.ndarray = np.bitwise_or.reduce(bits, axis=2) > 0
        for axis, seen in enumerate((columns, rows)):
            corners[:, axis] = seen.argmax(1)
            last = seen.shape[1] - seen[:, ::-1].argmax(1)
            corners[:, axis + 2] = np.where(seen.any(1), last, 0)
        return corners

    def to(self, *args: Any, **kwargs: Any) -> 'PackedMasks':
        """The same masks on another device, still packed."""
        return PackedMasks(self.bits.to(*args, **kwargs), self.width)

    def pin_memory(self) -> 'PackedMasks':
        """The same masks in memory that devices read by themselves."""
        return PackedMasks(self.bits.pin_memory(), self.width)

    def pad(
        self, out_shape: Sequence[int], pad_val: int = 0
    ) -> InstanceMasks | Any:
        """Pads below and on the right.

        Args:
            out_shape: height and width after that.
            pad_val: value there; other than 0, bitmaps are given.
        """
        if pad_val:
            return self.to_bitmaps().pad(out_shape, pad_val)
        height, width = out_shape[:2]
        rows = height - self.height
        columns = -(-width // 8) - self.bits.shape[2]
        if height < self.height or width < self.width:
            raise ValueError(
                f'masks of {self.height} x {self.width} pixels are larger '
                f'than {height} x {width}'
            )
        return PackedMasks(F.pad(self.bits, (0, columns, 0, rows)), width)

    def to_ndarray(self) -> np.ndarray:
        """See the base class."""
        bits = self.bits.cpu().numpy()
        return np.unpackbits(bits, axis=2, count=self.width)

    def to_tensor(
        self, dtype: torch.dtype, device: str | torch.device
    ) -> Tensor:
        """The masks, (G, height, width) of 0 and 1, unpacked on a device.

        Args:
            dtype: of the result.
            device: where to unpack; pinned bits get there without a wait.
        """
        bits = self.bits.to(device, non_blocking=True)
        if bits.device.type == 'cpu':
            # Four times as fast as shifting there.
            masks = torch.from_numpy(self.to_ndarray())
        else:
            masks = _unpacked(bits, self.width)
        return masks.view(dtype) if dtype == torch.bool else masks.to(dtype)


def _unpacked(bits: Tensor, width: int) -> Tensor:
    """uint8 (G, H, W) of 0 and 1, on the device of the bits."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    pixels = (bits[..., None] >> shifts) & 1
    return pixels.flatten(2)[..., :width].contiguous()
