"""ResNets that also give C2', the extra input of EFPN."""

from mmdet.models.backbones import ResNet, ResNeXt
from torch import Tensor

from mmseg_plugin.models.layers.module_views import (
    frozen_statistics,
    keeping_inputs,
    with_children,
)
from mmseg_plugin.registry import MODELS


@MODELS.register_module()
class ExtendedResNet(ResNet):
    """:class:`ResNet` that gives C2' before its other maps.

    C2' is the output of ``layer1``, with the same weights, for the output of
    the stem before the max-pooling (EFPN, section 3.1). Checkpoints are those
    of :class:`ResNet`. Batch norms of this pass use the running statistics,
    and do not touch them, whatever ``norm_eval`` is.
    """

    def forward(self, x: Tensor, extended: bool = True) -> tuple[Tensor, ...]:
        """Computes the feature maps.

        Args:
            x: images, shape (B, 3, H, W).
            extended: whether to give C2' (stride 2) too.

        Returns:
            C2' of shape (B, C, H/2, W/2) with the C channels of C2, then the
            maps of ``out_indices``.
        """
        if not extended:
            return super().forward(x)
        stem: list[Tensor] = []
        maxpool = keeping_inputs(self.maxpool, stem)
        outs = ResNet.forward(with_children(self, maxpool=maxpool), x)
        return (frozen_statistics(self.layer1)(stem[0]), *outs)


@MODELS.register_module()
class ExtendedResNeXt(ExtendedResNet, ResNeXt):
    """:class:`ResNeXt` that gives C2', see :class:`ExtendedResNet`."""
