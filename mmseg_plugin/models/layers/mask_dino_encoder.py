"""Pixel decoder of Mask DINO: a deformable encoder and mask features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    Mask2FormerTransformerEncoder,
    SinePositionalEncoding,
)
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule, ModuleList, caffe2_xavier_init
from torch import Tensor, nn

from mmseg_plugin.models.layers.deformable_attention import (
    encode_levels,
    use_deformable_attention,
)
from mmseg_plugin.models.layers.geometry import sine_positions
from mmseg_plugin.registry import MODELS
from mmseg_plugin.utils.precision import float32_island

FEATURE_ORDERS = ('low2high', 'high2low')


@MODELS.register_module()
class MaskDINOEncoder(BaseModule):
    """Multi-scale deformable encoder and one FPN step to stride 4.

    Parameter names are those of mmdet's ``MSDeformAttnPixelDecoder``. Like
    the published model it masks no padding and runs in float32, unless
    ``autocast`` is set.

    Source: "Mask DINO" (arXiv 2206.02777), section 3.3, and MaskDINO
    3831d85, modeling/pixel_decoder/maskdino_encoder.py.

    Args:
        in_channels: of each backbone level, high to low resolution.
        feat_channels: of the encoder.
        out_channels: of the mask features, D; None builds none of them, for
            a detector without masks.
        num_encoder_levels: backbone levels in the encoder, the last ones.
        num_extra_levels: levels below the last one, made by stride-2
            convolutions.
        feature_order: 'low2high' encodes the highest resolution first,
            'high2low' the lowest; the names are the published ones. It
            decides how large the boxes of proposals are, see
            :func:`.mask_dino_queries.encoder_proposals`.
        num_layers: of the encoder.
        num_heads: of its attention.
        feedforward_channels: of its layers.
        dropout: rate of its layers.
        autocast: stay in autocast where there is one; attention samples in
            float32 all the same.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: unknown feature order.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (256, 512, 1024, 2048),
        feat_channels: int = 256,
        out_channels: int | None = 256,
        num_encoder_levels: int = 3,
        num_extra_levels: int = 1,
        feature_order: str = 'low2high',
        num_layers: int = 6,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        dropout: float = 0.0,
        autocast: bool = False,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        if feature_order not in FEATURE_ORDERS:
            raise ValueError(
                f'feature_order is one of {FEATURE_ORDERS}, not '
                f'{feature_order!r}'
            )
        self.autocast = autocast
        self.embed_dims = feat_channels
        self.num_encoder_levels = num_encoder_levels
        self.num_levels = num_encoder_levels + num_extra_levels
        self.feature_order = feature_order
        self.input_convs = self._input_convs(in_channels, num_extra_levels)
        self.positional_encoding = SinePositionalEncoding(
            feat_channels // 2, normalize=True
        )
        self.level_encoding = nn.Embedding(self.num_levels, feat_channels)
        self.encoder = _encoder(
            *(feat_channels, self.num_levels, num_layers),
            *(num_heads, feedforward_channels, dropout),
        )
        self.mask_feature = None
        if out_channels:
            self.lateral_convs = ModuleList(
                [self._conv(in_channels[0], 1, bias=False)]
            )
            self.output_convs = ModuleList(
                [self._conv(feat_channels, 3, bias=False, relu=True)]
            )
            self.mask_feature = nn.Conv2d(feat_channels, out_channels, 1)

    def _conv(
        self,
        in_channels: int,
        kernel_size: int,
        stride: int = 1,
        bias: bool = True,
        relu: bool = False,
    ) -> ConvModule:
        """Convolution and group norm to the encoder's channels."""
        return ConvModule(
            in_channels,
            self.embed_dims,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            bias=bias,
            norm_cfg={'type': 'GN', 'num_groups': 32},
            act_cfg={'type': 'ReLU'} if relu else None,
        )

    def _input_convs(
        self, in_channels: Sequence[int], num_extra_levels: int
    ) -> ModuleList:
        """One for each level, extra ones last."""
        levels = list(in_channels[-self.num_encoder_levels :])
        if self.feature_order == 'high2low':
            levels.reverse()
        convs = [self._conv(channels, 1) for channels in levels]
        extra_in = in_channels[-1]
        for _ in range(num_extra_levels):
            convs.append(self._conv(extra_in, 3, stride=2))
            extra_in = self.embed_dims
        return ModuleList(convs)

    def init_weights(self) -> None:
        """As published."""
        super().init_weights()
        for conv in self.input_convs:
            nn.init.xavier_uniform_(conv.conv.weight)
            nn.init.zeros_(conv.conv.bias)
        nn.init.normal_(self.level_encoding.weight)
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.encoder.modules():
            if isinstance(module, MultiScaleDeformableAttention):
                module.init_weights()
        if self.mask_feature is not None:
            caffe2_xavier_init(self.lateral_convs[0].conv, bias=0)
            caffe2_xavier_init(self.output_convs[0].conv, bias=0)
            caffe2_xavier_init(self.mask_feature, bias=0)

    def _levels(self, x: Sequence[Tensor]) -> list[Tensor]:
        """Projected maps in the order in which they are encoded."""
        own = list(x[-self.num_encoder_levels :])
        if self.feature_order == 'high2low':
            own.reverse()
        convs = iter(self.input_convs)
        levels = [next(convs)(level) for level in own]
        extra: list[Tensor] = []
        lowest = x[-1]
        for conv in convs:
            lowest = conv(lowest)
            extra.insert(0, lowest)
        if self.feature_order == 'high2low':
            return extra + levels
        return levels + extra

    @float32_island
    def forward(
        self, x: Sequence[Tensor]
    ) -> tuple[Tensor | None, list[Tensor]]:
        """Encodes backbone maps.

        Args:
            x: backbone maps (B, C_i, h_i, w_i), high to low resolution.

        Returns:
            Mask features (B, D, h_0, w_0) or None, and the encoded maps
            (B, C, h, w) in the order of ``feature_order``.
        """
        encoded = self._encode(self._levels(x))
        if self.mask_feature is None:
            return None, encoded
        highest = encoded[0 if self.feature_order == 'low2high' else -1]
        lateral = self.lateral_convs[0](x[0])
        upsampled = F.interpolate(
            highest, lateral.shape[-2:], mode='bilinear', align_corners=False
        )
        return (
            self.mask_feature(self.output_convs[0](lateral + upsampled)),
            encoded,
        )

    def _encode(self, levels: list[Tensor]) -> list[Tensor]:
        sizes = tuple(tuple(level.shape[-2:]) for level in levels)
        lengths = [height * width for height, width in sizes]
        positions = [
            sine_positions(self.positional_encoding, size, level) + encoding
            for level, size, encoding in zip(
                levels, sizes, self.level_encoding.weight, strict=True
            )
        ]
        query = torch.cat([level.flatten(2).mT for level in levels], 1)
        memory = encode_levels(
            self.encoder, query, torch.cat(positions, 1), sizes
        )
        return [
            part.mT.unflatten(2, size)
            for part, size in zip(memory.split(lengths, 1), sizes, strict=True)
        ]


def _encoder(
    embed_dims: int,
    num_levels: int,
    num_layers: int,
    num_heads: int,
    feedforward_channels: int,
    dropout: float,
) -> nn.Module:
    """Deformable DETR's, with reference points given: by itself it
    synchronises to make them.
    """
    attention = {
        'embed_dims': embed_dims,
        'num_heads': num_heads,
        'num_levels': num_levels,
        'dropout': dropout,
        'batch_first': True,
    }
    ffn = {
        'embed_dims': embed_dims,
        'feedforward_channels': feedforward_channels,
        'ffn_drop': dropout,
    }
    encoder = Mask2FormerTransformerEncoder(
        num_layers, {'self_attn_cfg': attention, 'ffn_cfg': ffn}
    )
    use_deformable_attention(encoder)
    return encoder
