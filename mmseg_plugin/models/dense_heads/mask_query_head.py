"""What heads that classify a set of queries and their masks share."""

from abc import abstractmethod
from collections.abc import Sequence

from mmdet.models.layers import SinePositionalEncoding
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_plugin.models.criterions.target_count import target_count
from mmseg_plugin.registry import MODELS, TASK_UTILS
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    QueryPredictions,
    Targets,
    add_stuff,
    check_labels,
)


class MaskQueryHead(BaseModule):
    """Base of mask classification heads: targets, losses and predictions.

    A subclass builds ``transformer_decoder`` and its inputs, and gives
    :meth:`forward`.

    Args:
        embed_dims: channels of the queries.
        out_channels: channels of the mask features, D; None predicts no
            masks.
        pixel_decoder: complete config.
        num_things_classes: number of thing classes, which come first.
        num_stuff_classes: number of stuff classes.
        num_queries: Q.
        use_sigmoid: classes by sigmoid, without a no-object class.
        loss_cls: class loss, called like :class:`QueryClassLoss`; the number
            of classes is filled in. Not needed for inference.
        loss_mask: mask losses, called like :class:`PointMaskLoss`. Not
            needed for inference.
        loss_dice: must be None, it is part of ``loss_mask``; mmdet's configs
            name it.
        loss_ibs: called like :class:`IntraBatchLoss`, on all matched
            queries; None for none.
        normalizer: of the losses, see :func:`target_count`.
        train_cfg: ``assigner``, a config of TASK_UTILS.
        test_cfg: not used, the fusion head has its own.
        init_cfg: see mmengine's ``BaseModule``.
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
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if loss_dice is not None:
            raise ValueError(
                'loss_dice must be None: the dice loss is part of loss_mask'
            )
        self.num_things_classes = num_things_classes
        self.num_stuff_classes = num_stuff_classes
        self.num_classes = num_things_classes + num_stuff_classes
        self.num_queries = num_queries
        self.normalizer = normalizer
        self.pixel_decoder = MODELS.build(ConfigDict(pixel_decoder))
        self._init_queries(embed_dims)
        num_logits = self.num_classes + (0 if use_sigmoid else 1)
        self.cls_embed = nn.Linear(embed_dims, num_logits)
        if out_channels:
            self.mask_embed = nn.Sequential(
                nn.Linear(embed_dims, embed_dims),
                nn.ReLU(inplace=True),
                nn.Linear(embed_dims, embed_dims),
                nn.ReLU(inplace=True),
                nn.Linear(embed_dims, out_channels),
            )
        if loss_cls:
            self.loss_cls = MODELS.build(
                {**loss_cls, 'num_classes': self.num_classes}
            )
        if loss_mask:
            self.loss_mask = MODELS.build(loss_mask)
        self.loss_ibs = None
        if loss_ibs:
            things = list(range(num_things_classes))
            self.loss_ibs = MODELS.build({'thing_classes': things, **loss_ibs})
        if train_cfg:
            self.assigner = TASK_UTILS.build(train_cfg['assigner'])

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
                ``gt_sem_seg``, where 255 belongs to no class.

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
        return self.loss_by_feat(
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

    def loss_by_feat(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        match_points: Tensor | None = None,
        loss_points: Tensor | None = None,
        image_ids: list | None = None,
    ) -> dict[str, Tensor]:
        """Losses of all layers, matched with the targets.

        Args:
            predictions: of L layers.
            targets: of each image.
            match_points: (B, K, 2) or (L, B, K, 2) in [0, 1], at which masks
                are compared, instead of random ones.
            loss_points: (M, K, 2) in [0, 1], for each match in the order of
                the assigner's result, instead of sampled ones.
            image_ids: names of the images in warnings and errors.

        Returns:
            ``loss_cls``, ``loss_mask``, ``loss_dice`` and, if there is one,
            ``loss_ibs`` of the last layer, and ``d{i}.loss_cls`` ... of the
            layers before.
        """
        matches = self.match(predictions, targets, match_points, image_ids)
        avg_factor = target_count(targets, self.num_queries, self.normalizer)
        return name_layers(
            self.losses_of_matching(
                predictions, targets, matches, avg_factor, loss_points
            )
        )

    def match(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        points: Tensor | None = None,
        image_ids: list | None = None,
    ) -> Matches:
        """Gives queries to targets; see :meth:`loss_by_feat`.

        Raises:
            ValueError: a target has a label that the head has no class for.
        """
        matches = self.assigner.assign(predictions, targets, points, image_ids)
        if matches.on_host is not None:
            _, image, labels = matches.on_host
            check_labels(labels, image, self.num_classes, image_ids)
        return matches

    def losses_of_matching(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor | float,
        points: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """:meth:`losses_of_matches` and, if there is one, ``loss_ibs``.

        Of the queries that were matched with the targets, not of those that
        are made from them.
        """
        shared = (targets, matches)
        losses = self.losses_of_matches(
            predictions, *shared, avg_factor, points
        )
        if self.loss_ibs:
            losses['loss_ibs'] = self.loss_ibs(predictions.masks, *shared)
        return losses

    def losses_of_matches(
        self,
        predictions: QueryPredictions,
        targets: list[Targets],
        matches: Matches,
        avg_factor: Tensor | float,
        points: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses (L,) of predictions whose targets are known.

        Args:
            predictions: of L layers.
            targets: of each image.
            matches: pairs of queries and targets.
            avg_factor: number of targets by which the sums are divided.
            points: (M, K, 2) in [0, 1], for each match, instead of sampled
                ones.
        """
        losses = {
            'loss_cls': self.loss_cls(
                predictions.cls_logits, targets, matches, avg_factor
            )
        }
        losses['loss_mask'], losses['loss_dice'] = self.loss_mask(
            predictions.masks, targets, matches, avg_factor, points
        )
        return losses

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


def image_names(batch_data_samples: SampleList) -> list:
    """Names for messages: id or, without one, path of each image."""
    return [
        sample.metainfo.get('img_id', sample.metainfo.get('img_path'))
        for sample in batch_data_samples
    ]


def name_layers(
    losses: dict[str, Tensor], first: int = 0
) -> dict[str, Tensor]:
    """Losses (L,) to scalars under mmdet's names.

    Args:
        losses: name to the loss of each layer.
        first: number of the first of these layers.

    Returns:
        The last layer's under their names, that of layer i before it with
        the prefix ``d{i}.``.
    """
    layers = {name: loss.unbind() for name, loss in losses.items()}
    last = {name: values[-1] for name, values in layers.items()}
    return last | {
        f'd{i}.{name}': value
        for name, values in layers.items()
        for i, value in enumerate(values[:-1], first)
    }


def sine_encoding(
    config: OptConfigType, embed_dims: int
) -> SinePositionalEncoding:
    """mmdet's encoding; normalised and ``embed_dims`` wide by default."""
    if config is None:
        config = {'num_feats': embed_dims // 2, 'normalize': True}
    return SinePositionalEncoding(**config)
