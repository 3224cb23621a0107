"""A pyramid from the last feature map of a plain Vision Transformer."""

from torch import Tensor, nn
from torch.nn import functional as F


def _convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.GroupNorm(1, out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        nn.GroupNorm(1, out_channels),
    )


class SimpleFeaturePyramid(nn.Module):
    """Maps of strides 4, 8, 16 and 32 from one of stride 16.

    "Exploring Plain Vision Transformer Backbones for Object Detection"
    (arXiv 2203.16527), section 3: deconvolutions upwards, a pooling
    downwards, no lateral connections.

    Args:
        in_channels: of the map.
        out_channels: of each result.
    """

    strides = (4, 8, 16, 32)

    def __init__(self, in_channels: int, out_channels: int = 256) -> None:
        super().__init__()
        half, quarter = in_channels // 2, in_channels // 4
        self.stages = nn.ModuleList(
            (
                nn.Sequential(
                    nn.ConvTranspose2d(in_channels, half, 2, stride=2),
                    nn.GroupNorm(1, half),
                    nn.GELU(),
                    nn.ConvTranspose2d(half, quarter, 2, stride=2),
                    _convolutions(quarter, out_channels),
                ),
                nn.Sequential(
                    nn.ConvTranspose2d(in_channels, half, 2, stride=2),
                    _convolutions(half, out_channels),
                ),
                _convolutions(in_channels, out_channels),
                nn.Sequential(
                    nn.MaxPool2d(2, ceil_mode=True),
                    _convolutions(in_channels, out_channels),
                ),
            )
        )

    def forward(self, x: Tensor, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """Makes the pyramid.

        Args:
            x: (B, C, h, w) of any stride; resized to stride 16 if it is not.
            size: height and width of the padded image, multiples of 16.
        """
        sixteenth = (size[0] // 16, size[1] // 16)
        if tuple(x.shape[-2:]) != sixteenth:
            # A patch of 14 pixels, say: the heads want factors of two.
            x = F.interpolate(x, sixteenth, mode='bilinear')
        return tuple(stage(x) for stage in self.stages)
