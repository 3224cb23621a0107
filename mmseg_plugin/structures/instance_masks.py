"""What all masks of ours can do: become mmdet's bitmaps."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import BaseBoxes, get_box_type
from mmdet.structures.mask import BitmapMasks
from mmdet.structures.mask.structures import BaseInstanceMasks
from torch import Tensor


def _of_bitmaps(name: str) -> Callable[..., Any]:
    def call(self: 'InstanceMasks', *args: Any, **kwargs: Any) -> Any:
        return getattr(self.to_bitmaps(), name)(*args, **kwargs)

    call.__name__ = name
    call.__doc__ = f'As that of mmdet, whose ``{name}`` gives bitmaps.'
    return call


class InstanceMasks(BaseInstanceMasks):
    """Masks of one image that become bitmaps for what they cannot do.

    Attributes:
        height: in pixels.
        width: in pixels.
    """

    height: int
    width: int

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def corners(self) -> np.ndarray:
        """Boxes around the masks, float32 (G, 4): x1, y1, x2, y2 in pixels.

        All zero for a mask without a pixel.
        """

    @abstractmethod
    def to_ndarray(self) -> np.ndarray:
        """The masks, uint8 (G, height, width) of 0 and 1."""

    def to_bitmaps(self) -> BitmapMasks:
        """The same masks as mmdet's."""
        return BitmapMasks(self.to_ndarray(), self.height, self.width)

    def to_tensor(
        self, dtype: torch.dtype, device: str | torch.device
    ) -> Tensor:
        """The masks, (G, height, width) of 0 and 1."""
        return torch.from_numpy(self.to_ndarray()).to(device, dtype)

    def get_bboxes(self, dst_type: str | type = 'hbox') -> BaseBoxes:
        """Boxes around the masks.

        Args:
            dst_type: kind of boxes, its name or its class.
        """
        _, boxes = get_box_type(dst_type)
        return boxes(self.corners(), dtype=torch.float32)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_masks={len(self)}, '
            f'height={self.height}, width={self.width})'
        )

    rescale = _of_bitmaps('rescale')
    resize = _of_bitmaps('resize')
    flip = _of_bitmaps('flip')
    pad = _of_bitmaps('pad')
    crop = _of_bitmaps('crop')
    crop_and_resize = _of_bitmaps('crop_and_resize')
    expand = _of_bitmaps('expand')
    translate = _of_bitmaps('translate')
    shear = _of_bitmaps('shear')
    rotate = _of_bitmaps('rotate')


def as_index(index: Any, count: int) -> np.ndarray:
    """Places of the chosen masks.

    Args:
        index: a number, a slice, or numbers or booleans in a list, an array
            or a tensor.
        count: number of masks.

    Returns:
        int (n,).

    Raises:
        IndexError: there are not so many.
    """
    if isinstance(index, Tensor):
        index = index.cpu().numpy()
    if isinstance(index, Sequence) and not len(index):
        return np.zeros(0, int)
    return np.atleast_1d(np.arange(count)[index])
