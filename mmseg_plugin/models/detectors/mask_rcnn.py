"""Mask R-CNN in half precision wherever mmcv's operators run."""

from typing import Any

from mmdet.models.dense_heads import AnchorHead
from mmdet.models.detectors import MaskRCNN as MMDetMaskRCNN
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from mmengine.config import ConfigDict

from mmseg_plugin.models.detectors.channels import fill_in_channels
from mmseg_plugin.models.task_modules.chunked_iou_assigner import (
    compare_in_chunks,
)
from mmseg_plugin.registry import MODELS
from mmseg_plugin.utils.precision import give_float32, take_float32


def keep_operators_in_float32(detector: TwoStageDetector) -> None:
    """RoIAlign, NMS and what is decoded for it, under autocast in float32.

    mmcv's operators have no bfloat16 kernel on any device, and no kernel for
    halves on a CPU. Convolutions and linear layers stay in autocast.

    Args:
        detector: changed in place; its state dict stays the same.
    """
    for part in detector.modules():
        if isinstance(part, BaseRoIExtractor):
            take_float32(part)
        elif isinstance(part, AnchorHead | BBoxHead | FCNMaskHead):
            give_float32(part)


@MODELS.register_module()
class MaskRCNN(MMDetMaskRCNN):
    """mmdet's, which also trains and predicts under bf16 autocast.

    See :func:`keep_operators_in_float32`. Images may have any number of
    objects, see :class:`ChunkedIoUAssigner`. Parameters are the same.

    Args:
        backbone: config.
        neck: config; ``in_channels=None`` is taken from the backbone.
        **kwargs: of mmdet's ``MaskRCNN``.
    """

    def __init__(
        self,
        backbone: ConfigDict,
        neck: ConfigDict | None = None,
        **kwargs: Any,
    ) -> None:
        (neck,) = fill_in_channels(backbone, neck)
        super().__init__(backbone=backbone, neck=neck, **kwargs)
        keep_operators_in_float32(self)
        compare_in_chunks(self)
