"""What the region maps of Panoptic FCN stand for."""

import torch
from torch import Tensor

KINDS = ('stuff', 'stuff_and_thing', 'all')


class RegionClasses:
    """Classes that cover an image without telling things apart.

    Args:
        kind: 'stuff', the stuff classes; 'stuff_and_thing', one class for
            all things before them; 'all', every class, things too.
        num_things: number of thing classes, which come first.
        num_stuff: number of stuff classes.

    Raises:
        ValueError: unknown kind.
    """

    def __init__(self, kind: str, num_things: int, num_stuff: int) -> None:
        if kind not in KINDS:
            raise ValueError(f'region_classes is one of {KINDS}, not {kind!r}')
        # Thing classes that have no region of their own.
        self.first = {
            'stuff': num_things,
            'stuff_and_thing': num_things - 1,
            'all': 0,
        }[kind]
        self.one_for_things = kind == 'stuff_and_thing'
        self.num_things = num_things
        self.num_classes = num_things + num_stuff

    def __len__(self) -> int:
        return self.num_classes - self.first

    def from_labels(self, sem_seg: Tensor) -> Tensor:
        """Region class of each pixel; none if it is not in [0, R).

        Args:
            sem_seg: label of each pixel, integers; 255 or another number
                from ``num_classes`` on is void.
        """
        regions = sem_seg.long() - self.first
        return regions.clamp(min=0) if self.one_for_things else regions

    def labels(self) -> Tensor:
        """Stuff label of each region class, -1 for things, int64 (R,)."""
        labels = torch.arange(self.first, self.num_classes)
        return labels.masked_fill(labels < self.num_things, -1)
