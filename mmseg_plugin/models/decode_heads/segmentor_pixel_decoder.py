"""A per-pixel decode head of mmseg as pixel decoder of a query head."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class SegmentorPixelDecoder(BaseModule):
    """Turns a per-pixel model into one that classifies masks.

    The head's last layer, a 1x1 convolution to the classes, gives mask
    features instead: everything before it is what the per-pixel model has.

    Source: MaskFormer (arXiv 2107.06278), section 3.3: "any per-pixel
    classification-based segmentation model fits the pixel-level module".

    Args:
        decode_head: complete config of a decode head of mmseg (``FPNHead``,
            ``UPerHead``, ``DepthwiseSeparableASPPHead`` ...), as in the
            per-pixel model. Its classes, loss and dropout are replaced.
        out_channels: of the mask features.
        in_channels: not used, the decode head has its own.
        feat_channels: not used.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        decode_head: dict[str, Any],
        out_channels: int,
        in_channels: Sequence[int] | None = None,
        feat_channels: int | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.decode_head = MODELS.build(
            {
                **decode_head,
                'num_classes': out_channels,
                'dropout_ratio': 0.0,
                'loss_decode': {'type': 'mmseg.CrossEntropyLoss'},
                'init_cfg': {
                    'type': 'Caffe2Xavier',
                    'override': {'name': 'conv_seg'},
                },
            }
        )

    def forward(
        self, feats: Sequence[Tensor], batch_img_metas: list[dict]
    ) -> tuple[Tensor, Tensor]:
        """Mask features, and what the transformer decoder looks at.

        Args:
            feats: backbone or neck maps, high to low resolution.
            batch_img_metas: not used.

        Returns:
            (B, out_channels, h, w) and the last of ``feats``.
        """
        return self.decode_head(feats), feats[-1]
