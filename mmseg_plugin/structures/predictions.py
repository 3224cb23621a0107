"""Outputs of a query decoder."""

from typing import NamedTuple

from torch import Tensor

from mmseg_plugin.structures.mask_logits import MaskLogits


class QueryPredictions(NamedTuple):
    """Predictions of every prediction head of a query decoder.

    Attributes:
        cls_logits: (L, B, Q, C), with a last no-object column where the
            class loss is a softmax.
        masks: embeddings (L, B, Q, D) and features (B, D, h, w), or None.
        boxes: (L, B, Q, 4), (cx, cy, w, h) in [0, 1], or None.
    """

    cls_logits: Tensor
    masks: MaskLogits | None
    boxes: Tensor | None = None

    def from_layer(self, first: int) -> 'QueryPredictions':
        """Without the layers before ``first``."""
        masks, boxes = self.masks, self.boxes
        if masks is not None:
            masks = masks._replace(embed=masks.embed[first:])
        if boxes is not None:
            boxes = boxes[first:]
        return QueryPredictions(self.cls_logits[first:], masks, boxes)
