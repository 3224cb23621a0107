"""Per-pixel classification on the pixel decoder of a query model."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmseg_plugin.models.decode_heads.per_pixel_head import PerPixelHead
from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class PerPixelBaselineHead(PerPixelHead):
    """A linear classifier of each pixel's features.

    What MaskFormer compares itself with: the same backbone and pixel
    decoder, no queries.

    Source: MaskFormer (arXiv 2107.06278), section 4.1, and da3e60d,
    modeling/heads/per_pixel_baseline.py.

    Args:
        in_channels: of each backbone level, high to low resolution.
        pixel_decoder: config, like that of :class:`MaskFormerHead`; channels
            are filled in.
        feat_channels: of the pixel decoder's maps.
        out_channels: of the pixel features.
        kwargs: see :class:`PerPixelHead`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        pixel_decoder: dict[str, Any],
        feat_channels: int = 256,
        out_channels: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pixel_decoder = MODELS.build(
            {
                **pixel_decoder,
                'in_channels': in_channels,
                'feat_channels': feat_channels,
                'out_channels': out_channels,
            }
        )
        self.conv_seg = nn.Conv2d(out_channels, self.num_classes, 1)

    def all_layers(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Class logits (B, C, h, w), of one layer.

        Args:
            inputs: backbone maps, high to low resolution.
        """
        size = tuple(inputs[-1].shape[-2:])
        unpadded = {'batch_input_shape': size, 'img_shape': size}
        features, _ = self.pixel_decoder(inputs, [unpadded] * len(inputs[-1]))
        return [self.conv_seg(features)]
