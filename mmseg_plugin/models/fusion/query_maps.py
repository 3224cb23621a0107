"""Mask logits of one image's queries, resized as the published models do."""

from torch import Tensor

from mmseg_plugin.models.fusion.cpu_maps import whole
from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.structures import MaskLogits
from mmseg_plugin.structures.sampling import resize
from mmseg_plugin.utils import host


class QueryMaps:
    """Mask logits of the queries of one image, resized only where wanted.

    As published, logits are resized bilinearly to the padded input size, cut
    to the image and resized again to the size of the results.

    Args:
        masks: logits of a batch; the maps themselves (B, Q, h, w), or their
            factors with ``embed`` (B, Q, D).
        image: position of the image in the batch.
        sizes: padded, image and result size.
    """

    def __init__(self, masks: MaskLogits | Tensor, image: int, sizes: Sizes):
        self.masks = masks
        self.image = image
        self.sizes = sizes

    @property
    def on_host(self) -> bool:
        """Whether all is computed on the CPU, which has not to wait."""
        masks = self.masks
        return host.on_host(
            masks if isinstance(masks, Tensor) else masks.features
        )

    def low(self, queries: Tensor) -> Tensor:
        """Logits (n, h, w) of some queries, at the predicted size."""
        if isinstance(self.masks, Tensor):
            return self.masks[self.image, queries].float()
        embed = self.masks.embed[self.image, queries].float()
        features = self.masks.features[self.image].float()
        return (embed @ features.flatten(1)).unflatten(1, features.shape[1:])

    def unpad(self, maps: Tensor) -> Tensor:
        """Cuts maps (n, *padded) to the image and resizes them for output."""
        height, width = self.sizes.image
        return resize(maps[:, :height, :width], self.sizes.out)

    def full(self, queries: Tensor) -> Tensor:
        """Logits (n, *out) of some queries."""
        low = self.low(queries)
        if self.on_host and not low.requires_grad:
            return whole(low, self.sizes)
        return self.unpad(resize(low, self.sizes.padded))
