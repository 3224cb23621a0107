"""Per-pixel classification with MaskFormer's transformer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmseg_plugin.models.decode_heads.per_pixel_head import PerPixelHead
from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class PerPixelBaselinePlusHead(PerPixelHead):
    """One query for each class, whose mask logits are class logits.

    What MaskFormer compares itself with: the same model, deep supervision
    included, but its masks are the classes and nothing is matched.

    Source: MaskFormer (arXiv 2107.06278), section 4.1, and da3e60d,
    modeling/heads/per_pixel_baseline.py.

    Args:
        head: config of a :class:`MaskFormerHead`; classes and queries are
            filled in.
        kwargs: see :class:`PerPixelHead`.
    """

    def __init__(self, head: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.head = MODELS.build(
            {
                **head,
                'num_things_classes': 0,
                'num_stuff_classes': self.num_classes,
                'num_queries': self.num_classes,
            }
        )
        # Queries are not classified: no parameters without a gradient.
        self.head.cls_embed = nn.Identity()

    def all_layers(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Class logits (B, C, h, w) of each decoder layer.

        Args:
            inputs: backbone maps, high to low resolution.
        """
        masks = self.head(inputs, None).masks
        return [
            torch.einsum('bcd,bdhw->bchw', embed, masks.features)
            for embed in masks.embed
        ]

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Class logits (B, C, h, w) of the last layer.

        Args:
            inputs: backbone maps, high to low resolution.
        """
        masks = self.head(inputs, None).masks
        return torch.einsum('bcd,bdhw->bchw', masks.embed[-1], masks.features)
