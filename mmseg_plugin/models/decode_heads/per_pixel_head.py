"""What heads that classify each pixel share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmseg_plugin.models.decode_heads.inputs import (
    checked_num_classes,
    input_size,
)
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures.targets import checked_ignore_index
from mmseg_plugin.utils.precision import at_least_float32


class PerPixelHead(BaseModule):
    """Base of per-pixel decode heads, for mmseg's ``EncoderDecoder``.

    A subclass gives :meth:`all_layers`.

    Args:
        num_classes: number of classes, C, at least 2.
        loss_decode: config of a loss of mmseg; cross entropy, averaged over
            the labelled pixels, if None.
        ignore_index: value of unlabelled pixels.
        align_corners: of all resizes of class maps.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: less than two classes, or ``ignore_index`` 255 is a class.
    """

    threshold = None

    def __init__(
        self,
        num_classes: int,
        loss_decode: dict[str, Any] | None = None,
        ignore_index: int = 255,
        align_corners: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_classes = checked_num_classes(num_classes)
        self.out_channels = num_classes
        self.ignore_index = checked_ignore_index(ignore_index, num_classes)
        self.align_corners = align_corners
        self.loss_decode = MODELS.build(
            loss_decode
            or {'type': 'mmseg.CrossEntropyLoss', 'avg_non_ignore': True}
        )

    @abstractmethod
    def all_layers(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Class logits (B, C, h, w) of each supervised layer, last one last.

        Args:
            inputs: backbone or neck maps, high to low resolution.
        """

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Class logits (B, C, h, w) of the last layer.

        Args:
            inputs: backbone or neck maps, high to low resolution.
        """
        return self.all_layers(inputs)[-1]

    def loss(
        self,
        inputs: Sequence[Tensor],
        batch_data_samples: list[BaseDataElement],
        train_cfg: dict | None = None,
    ) -> dict[str, Tensor]:
        """Loss of each layer.

        Args:
            inputs: backbone or neck maps, high to low resolution.
            batch_data_samples: with ``gt_sem_seg``, (1, H, W) of the padded
                size.
            train_cfg: not used.

        Returns:
            The last layer's under the name of the loss, that of layer i
            before it with the prefix ``d{i}.``.
        """
        labels = torch.cat(
            [sample.gt_sem_seg.data for sample in batch_data_samples]
        )
        *early, last = [
            self.loss_decode(
                self._resized(logits, labels.shape[-2:]),
                labels,
                ignore_index=self.ignore_index,
            )
            for logits in self.all_layers(inputs)
        ]
        name = self.loss_decode.loss_name
        return {name: last} | {
            f'd{i}.{name}': loss for i, loss in enumerate(early)
        }

    def predict(
        self,
        inputs: Sequence[Tensor],
        batch_img_metas: list[dict],
        test_cfg: dict | None = None,
    ) -> Tensor:
        """Class logits (B, C, H, W) at the size of the input.

        Args:
            inputs: backbone or neck maps, high to low resolution.
            batch_img_metas: ``img_shape`` and, if the batch is padded,
                ``pad_shape``.
            test_cfg: of the segmentor; its ``mode`` says whether the input
                is a crop.
        """
        return self._resized(
            self(inputs), input_size(batch_img_metas, test_cfg)
        )

    def _resized(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        return F.interpolate(
            at_least_float32(logits),
            tuple(size),
            mode='bilinear',
            align_corners=self.align_corners,
        )
