"""Extended feature pyramid network."""

from collections.abc import Sequence

from mmdet.models.necks import FPN
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmseg_plugin.models.layers.feature_texture_transfer import (
    FeatureTextureTransfer,
)
from mmseg_plugin.models.layers.module_views import (
    keeping_inputs,
    with_children,
)
from mmseg_plugin.registry import MODELS

VARIANTS = ('code', 'equation')


def _resize_like(x: Tensor, other: Tensor) -> Tensor:
    return F.interpolate(x, size=other.shape[-2:], mode='nearest')


class PyramidExtension(BaseModule):
    """Makes P3' (stride 4) and P2' (stride 2) of EFPN.

    The paper states P3' = FTT(P3, P2) and P2' = up(P3') + C2'; the published
    code also adds up(P3) to P3', and wraps the sum of P2' in a 1x1 and a 3x3
    convolution without bias.

    Args:
        channels: of the pyramid.
        stem_channels: of C2'.
        variant: ``'code'`` or ``'equation'``.
        hidden_channels: of the texture transfer; the equation leaves no other
            choice than ``channels`` and ignores it.
        num_content_blocks: see :class:`FeatureTextureTransfer`.
        num_texture_blocks: see :class:`FeatureTextureTransfer`.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: unknown variant; or C2' cannot be added to the pyramid as
            the equation asks, for their channels differ.
    """

    def __init__(
        self,
        channels: int = 256,
        stem_channels: int = 256,
        variant: str = 'code',
        hidden_channels: int = 512,
        num_content_blocks: int = 1,
        num_texture_blocks: int = 2,
        init_cfg: OptMultiConfig = {  # noqa: B006
            'type': 'Caffe2Xavier',
            'layer': 'Conv2d',
        },
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'variant is {variant!r}, not one of {VARIANTS}')
        self.as_code = variant == 'code'
        if not self.as_code and stem_channels != channels:
            raise ValueError(
                f"variant 'equation' adds C2' of {stem_channels} channels to "
                f"a pyramid of {channels}: make them equal, or use 'code'"
            )
        self.ftt = FeatureTextureTransfer(
            channels,
            hidden_channels if self.as_code else channels,
            num_content_blocks,
            num_texture_blocks,
            with_tail=self.as_code,
        )
        if self.as_code:
            self.lateral_conv = nn.Conv2d(
                stem_channels, channels, 1, bias=False
            )
            self.fpn_conv = nn.Conv2d(
                channels, channels, 3, padding=1, bias=False
            )

    def forward(
        self, p3: Tensor, p2: Tensor, c2_extended: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Extends the pyramid.

        Args:
            p3: stride 8, shape (B, channels, H/4, W/4) for H, W of C2'.
            p2: stride 4, shape (B, channels, H/2, W/2).
            c2_extended: C2', stride 2, shape (B, stem_channels, H, W).

        Returns:
            P3' in the shape of ``p2`` and P2' (B, channels, H, W).
        """
        p3_extended = self.ftt(p3, p2)
        if not self.as_code:
            return p3_extended, (
                _resize_like(p3_extended, c2_extended) + c2_extended
            )
        p3_extended = p3_extended + _resize_like(p3, p2)
        lateral = self.lateral_conv(c2_extended)
        return p3_extended, self.fpn_conv(
            lateral + _resize_like(p3_extended, lateral)
        )


@MODELS.register_module()
class EFPN(FPN):
    """Extended feature pyramid network, with mmdet's FPN as its lower part.

    Deng et al., "Extended Feature Pyramid Network for Small Object
    Detection": P2' of stride 2 sees small objects as an FPN would see them in
    an image of twice the size. Its parameters are those of :class:`FPN` and
    ``extension.*``; with the extension off it is :class:`FPN`.

    Args:
        in_channels: of C2, C3 ...; C2' has as many as C2.
        out_channels: of each level.
        num_outs: levels of the FPN, P2' not counted.
        variant: ``'code'`` as published (from P3 and P2 before their 3x3
            convolutions), ``'equation'`` as written in the paper (from P3 and
            P2), or None to leave the extension out.
        hidden_channels: see :class:`PyramidExtension`.
        num_content_blocks: see :class:`FeatureTextureTransfer`.
        num_texture_blocks: see :class:`FeatureTextureTransfer`.
        **kwargs: of :class:`FPN`.

    Raises:
        ValueError: see :class:`PyramidExtension`.
    """

    def __init__(
        self,
        in_channels: list[int],
        out_channels: int,
        num_outs: int,
        variant: str | None = 'code',
        hidden_channels: int = 512,
        num_content_blocks: int = 1,
        num_texture_blocks: int = 2,
        **kwargs,
    ) -> None:
        super().__init__(in_channels, out_channels, num_outs, **kwargs)
        if variant is None:
            self.register_module('extension', None)
        else:
            self.extension = PyramidExtension(
                out_channels,
                in_channels[0],
                variant,
                hidden_channels,
                num_content_blocks,
                num_texture_blocks,
            )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Builds the pyramid.

        Args:
            inputs: C2', C2, C3, C4, C5 of strides 2, 4, 8, 16, 32 as of
                :class:`ExtendedResNet`; without C2' if the extension is off.

        Returns:
            P2', P2, P3 ... of strides 2, 4, 8 ...; without P2' if the
            extension is off. Each (B, out_channels, H/stride, W/stride).

        Raises:
            ValueError: another number of maps.
        """
        self._check_number(len(inputs))
        if self.extension is None:
            return super().forward(inputs)
        outs, sources = self._pyramid(inputs[1:])
        _, p2_extended = self.extension(*sources, inputs[0])
        return (p2_extended, *outs)

    def extend(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """P3' (stride 4) and P2' (stride 2), what a student learns.

        Args:
            inputs: see :meth:`forward`.
        """
        _, sources = self._pyramid(inputs[1:])
        return self.extension(*sources, inputs[0])

    def targets(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """What P3' and P2' of the image at half the size have to look like.

        Args:
            inputs: C2, C3 ... of the teacher, without C2'.

        Returns:
            P3 (stride 8), as it enters the extension, and P2 (stride 4).
        """
        outs, (p3, _) = self._pyramid(inputs)
        return p3, outs[0]

    def _check_number(self, number: int) -> None:
        expected = len(self.in_channels)
        fix = "an ordinary backbone, for variant None takes no C2'"
        key = 'backbone.type'
        if self.extension is not None:
            expected += 1
            fix = "mmseg_plugin.EFPNDetector, whose backbone gives C2' too"
            key = 'type'
        if number != expected:
            raise ValueError(
                f'model.neck mmseg_plugin.EFPN got {number} maps, not '
                f'{expected}: set model.{key} to {fix}'
            )

    def _pyramid(
        self, inputs: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
        """P2, P3 ... of the FPN, and what the extension takes as P3, P2."""
        inners: list[Tensor] = []
        # The FPN keeps the sums before its 3x3 convolutions to itself.
        first, second, *others = self.fpn_convs
        convs = [keeping_inputs(conv, inners) for conv in (first, second)]
        view = with_children(self, fpn_convs=[*convs, *others])
        outs = FPN.forward(view, inputs)
        p2, p3 = inners if self.extension.as_code else outs[:2]
        return outs, (p3, p2)
