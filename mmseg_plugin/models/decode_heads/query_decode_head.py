"""Heads of query models as decode heads of mmseg."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmseg_plugin.models.decode_heads.inputs import (
    checked_num_classes,
    input_size,
    sized_samples,
)
from mmseg_plugin.models.fusion import QueryMaps, Sizes, semantic_scores
from mmseg_plugin.models.layers.compiled import compile_parts
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import (
    MaskLogits,
    QueryPredictions,
    Targets,
    add_stuff,
)
from mmseg_plugin.structures.targets import checked_ignore_index
from mmseg_plugin.utils.precision import without_autocast


@MODELS.register_module()
class QueryDecodeHead(BaseModule):
    """A mask classification head inside mmseg's ``EncoderDecoder``.

    The head's targets are one mask for each class that an image shows. Its
    masks, weighted by their class probabilities, add up to a map for each
    class. Weights of mmseg's own Mask2Former and MaskFormer decode heads
    load unchanged.

    Source: "Per-Pixel Classification is Not All You Need for Semantic
    Segmentation" (arXiv 2107.06278), sections 3.3 and 3.4.

    Args:
        head: config of a :class:`MaskQueryHead` that classifies by softmax,
            its ``train_cfg`` included. The numbers of classes are filled in.
        num_classes: number of classes, C, at least 2.
        ignore_index: value of unlabelled pixels; they belong to no mask.
        align_corners: of the segmentor's resize to the original image size.
        mask_softmax: mask probabilities by softmax over the queries, which
            the MaskFormer paper compares, in place of sigmoid.
        compile: True, or options of ``torch.compile``, to compile ``head``,
            not its losses and results.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: less than two classes, label 255 is a class and void, or a
            head that classifies by sigmoid.
    """

    threshold = None

    def __init__(
        self,
        head: dict[str, Any],
        num_classes: int,
        ignore_index: int = 255,
        align_corners: bool = False,
        mask_softmax: bool = False,
        compile: bool | dict = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_classes = checked_num_classes(num_classes)
        self.out_channels = num_classes
        self.ignore_index = checked_ignore_index(ignore_index, num_classes)
        self.align_corners = align_corners
        self.mask_softmax = mask_softmax
        classes = {
            'num_things_classes': 0,
            'num_stuff_classes': num_classes,
            'ignore_index': ignore_index,
        }
        self.head = MODELS.build({**head, **classes})
        if self.head.cls_embed.out_features != num_classes + 1:
            raise ValueError(
                'head must classify by softmax, with a no-object class: set '
                'use_sigmoid=False'
            )
        compile_parts([self.head], compile)

    def forward(self, inputs: Sequence[Tensor]) -> QueryPredictions:
        """Predictions of all layers of the head.

        Args:
            inputs: backbone or neck maps, high to low resolution.
        """
        return self.head(inputs, None)

    def get_targets(
        self, batch_data_samples: list[BaseDataElement]
    ) -> list[Targets]:
        """One mask for each class in each image; boxes if the head has any.

        Args:
            batch_data_samples: with ``gt_sem_seg``, (1, H, W) of the padded
                size.

        Raises:
            ValueError: a label is neither a class nor ``ignore_index``.
        """
        sem_segs = [sample.gt_sem_seg.data for sample in batch_data_samples]
        targets = add_stuff(
            [Targets.none(seg) for seg in sem_segs],
            *(sem_segs, 0, self.num_classes, self.ignore_index),
            image_ids=_paths(batch_data_samples),
            fix='num_classes or ignore_index of the decode_head',
        )
        if not self.head.with_bbox:
            return targets
        return [
            target.with_boxes(None, tuple(target.masks.shape[-2:]))
            for target in targets
        ]

    def loss(
        self,
        inputs: Sequence[Tensor],
        batch_data_samples: list[BaseDataElement],
        train_cfg: dict | None = None,
    ) -> dict[str, Tensor]:
        """Losses of all layers of the head.

        Args:
            inputs: backbone or neck maps, high to low resolution.
            batch_data_samples: see :meth:`get_targets`.
            train_cfg: not used, the head has its own.
        """
        targets = self.get_targets(batch_data_samples)
        return self.head.criterion(
            self.head.forward_with_targets(
                inputs, _sized(batch_data_samples), targets
            ),
            targets,
            image_ids=_paths(batch_data_samples),
        )

    def predict(
        self,
        inputs: Sequence[Tensor],
        batch_img_metas: list[dict],
        test_cfg: dict | None = None,
    ) -> Tensor:
        """Sums of the masks of each class, at the size of the input.

        Args:
            inputs: backbone or neck maps, high to low resolution.
            batch_img_metas: ``img_shape`` and, if the batch is padded,
                ``pad_shape``.
            test_cfg: of the segmentor; its ``mode`` says whether the input
                is a crop.

        Returns:
            (B, C, H, W), not negative; not normalised.
        """
        size = input_size(batch_img_metas, test_cfg)
        samples = sized_samples(batch_img_metas, size, test_cfg)
        cls_logits, masks, *_ = self.head.predict(inputs, samples)
        return self._class_maps(cls_logits, masks, size)

    @without_autocast
    def _class_maps(
        self, cls_logits: Tensor, masks: MaskLogits, size: tuple[int, int]
    ) -> Tensor:
        """Sums of masks (B, C, *size), in float32 whatever autocast says."""
        sizes = Sizes(size, size, size)
        scores = cls_logits.float().softmax(-1)[..., :-1]
        return torch.stack(
            [
                semantic_scores(
                    image_scores, QueryMaps(masks, i, sizes), self.mask_softmax
                )
                for i, image_scores in enumerate(scores)
            ]
        )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # Without this level of names, files are those of mmseg's heads.
        if not any(key.startswith(f'{prefix}head.') for key in state_dict):
            for key in [k for k in state_dict if k.startswith(prefix)]:
                name = f'{prefix}head.{key.removeprefix(prefix)}'
                state_dict[name] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _paths(batch_data_samples: list[BaseDataElement]) -> list:
    """Names of the images in warnings and errors."""
    return [sample.metainfo.get('img_path') for sample in batch_data_samples]


def _sized(batch_data_samples: list[BaseDataElement]) -> list[BaseDataElement]:
    """What the head reads about the sizes of a training batch."""
    size = tuple(batch_data_samples[0].gt_sem_seg.data.shape[-2:])
    metas = [{'img_shape': size, **s.metainfo} for s in batch_data_samples]
    return sized_samples(metas, size)
