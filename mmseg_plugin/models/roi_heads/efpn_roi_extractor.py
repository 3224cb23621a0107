"""RoI extractor that sends small RoIs to P2'."""

from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor

from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class EFPNRoIExtractor(SingleRoIExtractor):
    """Takes small RoIs from P2' and the others from where an FPN has them.

    The scale of a RoI is sqrt(width * height) in pixels of the resized image.
    The published model trains P2' with RoIs below 56 pixels, and tests with
    those below 112 on COCO, below 56 on TT100K.

    Args:
        featmap_strides: of P2', P2, P3 ...
        train_scale: RoIs below this scale go to P2' in training.
        test_scale: the same when testing.
        **kwargs: of :class:`SingleRoIExtractor`; ``finest_scale`` is that of
            the FPN without P2'.
    """

    def __init__(
        self,
        *,
        train_scale: float = 56,
        test_scale: float = 112,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.train_scale = train_scale
        self.test_scale = test_scale

    def is_extended(self, rois: Tensor) -> Tensor:
        """Whether each RoI goes to P2', shape (N,), bool.

        Args:
            rois: (batch index, x1, y1, x2, y2), shape (N, 5).
        """
        scale = self.train_scale if self.training else self.test_scale
        size = rois[:, 3:] - rois[:, 1:3]
        return size.prod(dim=1).sqrt() < scale

    def map_roi_levels(self, rois: Tensor, num_levels: int) -> Tensor:
        """Index of the level of each RoI, 0 for P2', shape (N,).

        Args:
            rois: (batch index, x1, y1, x2, y2), shape (N, 5).
            num_levels: levels, P2' counted.
        """
        levels = super().map_roi_levels(rois, num_levels - 1) + 1
        return levels.masked_fill(self.is_extended(rois), 0)
