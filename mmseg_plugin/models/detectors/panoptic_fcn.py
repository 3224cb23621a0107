"""Panoptic FCN detector."""

from mmdet.models.detectors import MaskFormer

from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class PanopticFCN(MaskFormer):
    """Backbone, FPN, :class:`PanopticFCNHead`, :class:`PanopticFCNFusionHead`.

    "Fully Convolutional Networks for Panoptic Segmentation" (arXiv
    2012.00720). The wiring is that of mmdet's ``MaskFormer``: a panoptic
    head whose predictions a fusion head turns into results.
    """
