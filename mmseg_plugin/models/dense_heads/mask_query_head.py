"""What heads that classify a set of queries and their masks share."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from mmdet.models.layers import SinePositionalEncoding
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_plugin.models.criterions import QueryCriterion
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import (
    MaskLogits,
    QueryPredictions,
    Targets,
    add_stuff,
    image_names,
)
from mmseg_plugin.structures.targets import checked_ignore_index


class MaskQueryHead(BaseModule):
    """Base of mask classification heads: targets and predictions.

    A subclass builds ``transformer_decoder`` and its inputs, and gives
    :meth:`forward`; losses are those of its criterion.

    Args:
        embed_dims: channels of the queries.
        out_channels: channels of the mask features, D; None predicts no
            masks.
        pixel_decoder: complete config.
        num_things_classes: number of thing classes, which come first.
        num_stuff_classes: number of stuff classes.
        num_queries: Q.
        use_sigmoid: classes by sigmoid, without a no-object class.
        loss_cls: see :class:`QueryCriterion`; not needed for inference.
        loss_mask: the same.
        loss_dice: must be None, it is part of ``loss_mask``; mmdet's configs
            name it.
        loss_ibs: see :class:`QueryCriterion`; None for none.
        normalizer: of the losses, see :func:`target_count`.
        ignore_index: label of pixels of no class in ``gt_sem_seg``; above all
            classes, if there is stuff.
        train_cfg: ``assigner``, a config of TASK_UTILS.
        test_cfg: not used, the fusion head has its own.
        init_cfg: see mmengine's ``BaseModule``.
        criterion: makes what :meth:`loss` is computed by; subclasses give
            theirs.
    """

    transformer_decoder: nn.Module

    # Whether targets need boxes.
    with_bbox = False

    def __init__(
        self,
        embed_dims: int,
        out_channels: int | None,
        pixel_decoder: ConfigType,
        num_things_classes: int = 80,
        num_stuff_classes: int = 53,
        num_queries: int = 100,
        use_sigmoid: bool = False,
        loss_cls: OptConfigType = None,
        loss_mask: OptConfigType = None,
        loss_dice: None = None,
        loss_ibs: OptConfigType = None,
        normalizer: str = 'published',
        ignore_index: int = 255,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
        criterion: Callable[..., QueryCriterion] = QueryCriterion,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if loss_dice is not None:
            raise ValueError(
                'loss_dice must be None: the dice loss is part of loss_mask'
            )
        self.num_things_classes = num_things_classes
        self.num_stuff_classes = num_stuff_classes
        self.num_classes = num_things_classes + num_stuff_classes
        self.ignore_index = ignore_index
        if num_stuff_classes:
            checked_ignore_index(ignore_index, self.num_classes)
        self.num_queries = num_queries
        self.pixel_decoder = MODELS.build(ConfigDict(pixel_decoder))
        self._init_queries(embed_dims)
        num_logits = self.num_classes + (0 if use_sigmoid else 1)
        self.cls_embed = nn.Linear(embed_dims, num_logits)
        if out_channels:
            self.mask_embed = _mask_layers(embed_dims, out_channels)
        self.criterion = criterion(
            num_classes=self.num_classes,
            num_things=num_things_classes,
            num_queries=num_queries,
            loss_cls=loss_cls,
            loss_mask=loss_mask,
            loss_ibs=loss_ibs,
            assigner=train_cfg['assigner'] if train_cfg else None,
            normalizer=normalizer,
        )

    def _init_queries(self, embed_dims: int) -> None:
        self.query_embed = nn.Embedding(self.num_queries, embed_dims)

    def init_weights(self) -> None:
        """The decoder as published; then the parts, then ``init_cfg``."""
        for parameter in self.transformer_decoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        super().init_weights()

    @abstractmethod
    def forward(
        self, x: Sequence[Tensor], batch_data_samples: SampleList | None
    ) -> QueryPredictions:
        """Predictions of all layers from backbone maps."""

    def get_targets(self, batch_data_samples: SampleList) -> list[Targets]:
        """Ground truth of each image, padded to the batch's shape.

        Things are the instances, stuff the classes in ``gt_sem_seg`` if the
        samples have one: one mask for each. Objects that augmentation left
        without a pixel stay targets, as published, unless the pipeline
        drops them (mmdet's ``RandomCrop`` drops those outside the crop).

        Args:
            batch_data_samples: with ``gt_instances``, unless all classes are
                stuff, and, for panoptic and semantic segmentation,
                ``gt_sem_seg``, where ``ignore_index`` belongs to no class.

        Raises:
            ValueError: beside stuff, an instance is no thing, or a pixel has
                a class that the head has not.
        """
        sem_segs = [
            sample.gt_sem_seg.sem_seg
            for sample in batch_data_samples
            if self.num_stuff_classes and 'gt_sem_seg' in sample
        ]
        if sem_segs and not self.num_things_classes:
            targets = [Targets.none(seg) for seg in sem_segs]
        else:
            targets = [
                Targets.from_instances(
                    sample.gt_instances, sample.metainfo['batch_input_shape']
                )
                for sample in batch_data_samples
            ]
        if not sem_segs:
            return targets
        return add_stuff(
            *(targets, sem_segs, self.num_things_classes, self.num_classes),
            ignore_index=self.ignore_index,
            image_ids=image_names(batch_data_samples),
        )

    def loss(
        self, x: Sequence[Tensor], batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            x: backbone maps, high to low resolution.
            batch_data_samples: see :meth:`get_targets`.
        """
        targets = self.get_targets(batch_data_samples)
        return self.criterion(
            self.forward_with_targets(x, batch_data_samples, targets),
            targets,
            image_ids=image_names(batch_data_samples),
        )

    def forward_with_targets(
        self,
        x: Sequence[Tensor],
        batch_data_samples: SampleList,
        targets: list[Targets],
    ) -> QueryPredictions:
        """What :meth:`loss` predicts; a head may need the targets for it."""
        return self(x, batch_data_samples)

    def predict(
        self, x: Sequence[Tensor], batch_data_samples: SampleList
    ) -> tuple[Tensor, MaskLogits]:
        """Predictions of the last layer, for the fusion head.

        Args:
            x: backbone maps, high to low resolution.
            batch_data_samples: passed on to :meth:`forward`.

        Returns:
            Class logits (B, Q, K + 1) and mask logits, at stride 4 of the
            padded images and not multiplied out.
        """
        cls_logits, masks, _ = self(x, batch_data_samples)
        return cls_logits[-1], MaskLogits(masks.embed[-1], masks.features)


def sine_encoding(
    config: OptConfigType, embed_dims: int
) -> SinePositionalEncoding:
    """mmdet's encoding; normalised and ``embed_dims`` wide by default."""
    if config is None:
        config = {'num_feats': embed_dims // 2, 'normalize': True}
    return SinePositionalEncoding(**config)


def _mask_layers(embed_dims: int, out_channels: int) -> nn.Sequential:
    """From queries to mask embeddings."""
    return nn.Sequential(
        nn.Linear(embed_dims, embed_dims),
        nn.ReLU(inplace=True),
        nn.Linear(embed_dims, embed_dims),
        nn.ReLU(inplace=True),
        nn.Linear(embed_dims, out_channels),
    )
