"""Kernels that Panoptic FCN found, between its head and its fusion."""

from typing import NamedTuple

from torch import Tensor


class Kernels(NamedTuple):
    """Kernels of n objects of one image.

    Attributes:
        embed: (n, D).
        labels: int64 (n,).
        scores: (n,), in [0, 1]. A kernel of score zero is none: off the CPU
            such ones stand for those that are left out.
    """

    embed: Tensor
    labels: Tensor
    scores: Tensor


class ImageKernels(NamedTuple):
    """Everything found in one image.

    Attributes:
        things: labels are thing classes; by falling score.
        regions: labels are region classes.
    """

    things: Kernels
    regions: Kernels
