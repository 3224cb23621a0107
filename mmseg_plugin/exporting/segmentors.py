"""Segmentors of mmseg inside a graph."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.exporting.frames import Frame


class SegmentorResults(nn.Module):
    """An ``EncoderDecoder`` of mmseg up to its map of classes.

    Args:
        segmentor: with the weights; looks at whole images.

    Raises:
        UserError: it looks at crops of an image.
    """

    def __init__(self, segmentor: Any) -> None:
        super().__init__()
        if segmentor.test_cfg.get('mode', 'whole') != 'whole':
            raise UserError(
                "model.test_cfg.mode is 'slide', which cannot be exported; "
                "set it to 'whole' in the config"
            )
        self.segmentor: Any = segmentor

    def forward(self, image: Tensor, frame: Frame) -> dict[str, Tensor]:
        """Results of a batch.

        Args:
            image: (B, 3, H, W), as the preprocessor gives it.
            frame: sizes of the results.
        """
        size = frame.padded
        meta = {
            'ori_shape': size,
            'img_shape': size if frame.image is None else frame.image,
            'pad_shape': size,
            'padding_size': [0] * 4,
        }
        logits = self.segmentor.encode_decode(image, [meta])
        if frame.image is not None:
            height, width = frame.image
            logits = logits[:, :, :height, :width]
        if frame.out is not None:
            logits = F.interpolate(
                logits,
                frame.out,
                mode='bilinear',
                align_corners=self.segmentor.align_corners,
            )
        return {'semantic': logits.argmax(1).int()}
