"""Panoptic FCN detector."""

from mmseg_plugin.models.detectors.query_detector import PanopticDetector
from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class PanopticFCN(PanopticDetector):
    """Backbone, FPN, :class:`PanopticFCNHead`, :class:`PanopticFCNFusionHead`.

    "Fully Convolutional Networks for Panoptic Segmentation" (arXiv
    2012.00720). The wiring is that of mmdet's ``MaskFormer``: a panoptic
    head whose predictions a fusion head turns into results.
    """
