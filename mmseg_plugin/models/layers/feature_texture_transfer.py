"""Feature texture transfer, the super-resolution part of EFPN."""

import torch
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F


class _ResidualBlock(nn.Module):
    """``relu(x + conv(relu(conv(x))))``, without norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


def _conv_head(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.LeakyReLU(0.1),
    )


def _residual_body(channels: int, num_blocks: int) -> nn.Sequential:
    return nn.Sequential(
        *(_ResidualBlock(channels) for _ in range(num_blocks))
    )


class FeatureTextureTransfer(BaseModule):
    """Doubles a feature map, with the texture of a finer one.

    Extended Feature Pyramid Network, section 3.2: a content extractor and a
    sub-pixel convolution double the coarse map, a texture extractor adds what
    the fine map knows about its details.

    Args:
        channels: of both inputs.
        hidden_channels: of everything in between, and of the output if there
            is no tail.
        num_content_blocks: residual blocks of the content extractor.
        num_texture_blocks: residual blocks of the texture extractor.
        with_tail: whether two convolutions bring the sum back to
            ``channels``, as in the published code but not in the paper's
            equation.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        channels: int = 256,
        hidden_channels: int = 512,
        num_content_blocks: int = 1,
        num_texture_blocks: int = 2,
        with_tail: bool = True,
        init_cfg: OptMultiConfig = {  # noqa: B006
            'type': 'Caffe2Xavier',
            'layer': 'Conv2d',
        },
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        hidden = hidden_channels
        self.content_head = _conv_head(channels, hidden)
        self.content_body = _residual_body(hidden, num_content_blocks)
        self.sub_pixel = nn.Sequential(
            nn.Conv2d(hidden, 4 * hidden, 3, padding=1),
            nn.PixelShuffle(2),
            nn.LeakyReLU(0.1),
        )
        self.texture_head = _conv_head(hidden + channels, hidden)
        self.texture_body = _residual_body(hidden, num_texture_blocks)
        self.tail: nn.Module = nn.Identity()
        if with_tail:
            self.tail = nn.Sequential(
                *_conv_head(hidden, hidden),
                nn.Conv2d(hidden, channels, 3, padding=1),
            )

    def extract_content(self, coarse: Tensor) -> Tensor:
        """Content (B, hidden_channels, h, w) of ``coarse``."""
        content = self.content_head(coarse)
        return self.content_body(content) + content

    def extract_texture(self, content: Tensor, fine: Tensor) -> Tensor:
        """Texture (B, hidden_channels, H, W) of ``fine``.

        Args:
            content: doubled content, shape (B, hidden_channels, H, W).
            fine: shape (B, channels, H, W).
        """
        both = torch.cat([content, fine], dim=1)
        return self.texture_body(self.texture_head(both))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Transfers texture of the fine map to the doubled coarse one.

        Args:
            coarse: shape (B, channels, h, w).
            fine: shape (B, channels, H, W), H being 2h or 2h - 1, likewise W.

        Returns:
            Shape (B, channels, H, W); with ``hidden_channels`` in place of
            ``channels`` if there is no tail.
        """
        height, width = fine.shape[-2:]
        content = self.sub_pixel(self.extract_content(coarse))
        content = content[..., :height, :width]
        return self.tail(self.extract_texture(content, fine) + content)
