"""Random crop whose two offsets are drawn as one."""

import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import RandomCrop

from mmseg_plugin.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SharedOffsetCrop(RandomCrop):
    """Crops along the diagonal, as the published large scale jittering does.

    Detectron2's ``FixedSizeCrop`` scales the room in x and in y with the same
    uniform number; mmdet's ``RandomCrop`` draws two. For the published
    augmentation follow it with ``mmdet.Pad`` of the same size and
    ``pad_val=dict(img=128, seg=255, masks=0)``: padding before normalisation,
    which also makes it a part of the image.

    Takes the arguments of mmdet's ``RandomCrop``, whose absolute
    ``crop_size`` is (width, height).
    """

    @cache_randomness
    def _rand_offset(self, margin: tuple[int, int]) -> tuple[int, int]:
        height, width = np.round(np.multiply(margin, np.random.rand()))
        return int(height), int(width)
