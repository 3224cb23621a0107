"""Mask DINO head: detection and segmentation by the same queries."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmdet.models.layers import MLP, inverse_sigmoid
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType
from torch import Tensor, nn

from mmseg_plugin.models.criterions import (
    MaskDINOCriterion,
    MaskDINOPredictions,
)
from mmseg_plugin.models.dense_heads.mask_query_head import MaskQueryHead
from mmseg_plugin.models.layers.denoising import (
    DenoisingQueries,
    DenoisingQueryGenerator,
    NoiseDraws,
)
from mmseg_plugin.models.layers.mask_dino_decoder import MaskDINODecoder
from mmseg_plugin.models.layers.mask_dino_queries import (
    QuerySelection,
    boxes_from_masks,
    check_box_init,
)
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, QueryPredictions, Targets


@MODELS.register_module()
class MaskDINOHead(MaskQueryHead):
    """Predicts a class, a box and a mask for each query, after every layer.

    Source: "Mask DINO" (arXiv 2206.02777) and MaskDINO 3831d85,
    modeling/transformer_decoder/maskdino_decoder.py.

    Args:
        in_channels: of each backbone level, high to low resolution.
        feat_channels: of the encoder and the decoder.
        out_channels: of the mask features, D; None makes a detector without
            masks, like DINO.
        pixel_decoder: config of :class:`MaskDINOEncoder`; channels are
            filled in.
        transformer_decoder: arguments of :class:`MaskDINODecoder`; channels
            and levels are filled in.
        denoising: arguments of :class:`DenoisingQueryGenerator`; None trains
            without.
        denoise_masks: denoising queries restore masks too.
        two_stage: choose queries among the encoder's pixels, in place of
            learnable ones.
        learn_query_feat: learnable content, also with two stages.
        initialize_box_type: 'no' starts from the chosen pixels' boxes,
            'bitmask' and 'mask2box' from their masks, see
            :func:`boxes_from_masks`.
        initial_pred: predict, and train, before the first layer too.
        unpadded_boxes: boxes of targets are relative to their image, as
            published, not to the padded batch, as predictions are read. The
            same where all images of a batch have one size.
        autocast: encoder and decoder stay in autocast where there is one; in
            float32, as published, if False.
        use_sigmoid: see :class:`MaskQueryHead`.
        loss_bbox: see :class:`QueryCriterion`; not needed for inference.
        kwargs: see :class:`MaskQueryHead`.

    Raises:
        ValueError: unknown ``initialize_box_type``, or one that needs two
            stages or masks which are not there.
    """

    with_bbox = True

    def __init__(
        self,
        pixel_decoder: ConfigType,
        transformer_decoder: ConfigType,
        in_channels: Sequence[int] = (256, 512, 1024, 2048),
        feat_channels: int = 256,
        out_channels: int | None = 256,
        denoising: OptConfigType = None,
        denoise_masks: bool = True,
        two_stage: bool = True,
        learn_query_feat: bool = False,
        initialize_box_type: str = 'no',
        initial_pred: bool = True,
        unpadded_boxes: bool = False,
        autocast: bool = False,
        use_sigmoid: bool = True,
        loss_bbox: OptConfigType = None,
        **kwargs: Any,
    ) -> None:
        check_box_init(initialize_box_type, two_stage and bool(out_channels))
        self.two_stage = two_stage
        self.learn_query_feat = learn_query_feat or not two_stage
        super().__init__(
            embed_dims=feat_channels,
            out_channels=out_channels,
            pixel_decoder={
                **pixel_decoder,
                'in_channels': in_channels,
                'feat_channels': feat_channels,
                'out_channels': out_channels,
                **({'autocast': True} if autocast else {}),
            },
            use_sigmoid=use_sigmoid,
            criterion=partial(
                MaskDINOCriterion,
                two_stage=two_stage,
                initial_pred=initial_pred,
                denoising=denoising is not None,
                denoise_masks=denoise_masks and bool(out_channels),
                loss_bbox=loss_bbox,
            ),
            **kwargs,
        )
        self.with_mask = bool(out_channels)
        self.initialize_box_type = initialize_box_type
        self.initial_pred = initial_pred
        self.unpadded_boxes = unpadded_boxes
        self.bbox_embed = MLP(feat_channels, feat_channels, 4, 3)
        self.transformer_decoder = MaskDINODecoder(
            **transformer_decoder,
            autocast=autocast,
            embed_dims=feat_channels,
            num_levels=self.pixel_decoder.num_levels,
        )
        self.dn_query_generator = None
        if denoising is not None:
            self.dn_query_generator = DenoisingQueryGenerator(
                **denoising,
                num_classes=self.num_classes,
                embed_dims=feat_channels,
            )

    def _init_queries(self, embed_dims: int) -> None:
        if self.learn_query_feat:
            self.query_feat = nn.Embedding(self.num_queries, embed_dims)
        if self.two_stage:
            self.query_selection = QuerySelection(embed_dims, self.num_queries)
        else:
            self.query_embed = nn.Embedding(self.num_queries, 4)

    def init_weights(self) -> None:
        """As published: the first boxes move nowhere."""
        super().init_weights()
        nn.init.zeros_(self.bbox_embed.layers[-1].weight)
        nn.init.zeros_(self.bbox_embed.layers[-1].bias)

    def denoising_queries(
        self, targets: list[Targets], draws: NoiseDraws | None = None
    ) -> DenoisingQueries | None:
        """Queries to denoise, if the head trains with them.

        How many there are is up to the batch, so they are made outside of
        :meth:`forward`, which is one graph for ``torch.compile``.

        Args:
            targets: of each image.
            draws: noise, instead of a random one.
        """
        if self.dn_query_generator is None:
            return None
        return self.dn_query_generator(targets, draws)

    def forward(
        self,
        x: Sequence[Tensor],
        batch_data_samples: SampleList | None,
        noise: DenoisingQueries | None = None,
    ) -> MaskDINOPredictions:
        """Predictions of all queries before and after each layer.

        Args:
            x: backbone maps (B, C_i, h_i, w_i), high to low resolution.
            batch_data_samples: not used.
            noise: queries to be denoised; None at test time.
        """
        mask_features, levels = self.pixel_decoder(x)
        # As published the decoder reverses the encoder's order.
        levels = levels[::-1]
        sizes = [tuple(level.shape[-2:]) for level in levels]
        memory = torch.cat([level.flatten(2).mT for level in levels], 1)
        selected = None
        if self.two_stage:
            selected = self.query_selection(
                memory, sizes, self.cls_embed, self.bbox_embed
            )
        query, box_logits = self._first_queries(
            len(memory), selected, mask_features
        )
        padded, attn_mask = 0, None
        if noise is not None:
            padded = noise.content.shape[1]
            attn_mask = noise.attn_mask(query.shape[1])
            query, box_logits = noise.before(query, box_logits)
        hidden, boxes = self.transformer_decoder(
            query, box_logits, memory, sizes, self.bbox_embed, attn_mask
        )
        if self.initial_pred:
            hidden = torch.cat((query[None].to(hidden), hidden))
        else:
            boxes = boxes[1:]

        denoised = None
        if noise is not None:
            denoised = self._predictions(
                hidden[:, :, :padded], boxes[:, :, :padded], mask_features
            )
        hidden, boxes = hidden[:, :, padded:], boxes[:, :, padded:]
        if selected is not None:
            content, box_logits = selected
            hidden = torch.cat((content[None].to(hidden), hidden))
            boxes = torch.cat((box_logits.sigmoid()[None].to(boxes), boxes))
        matching = self._predictions(hidden, boxes, mask_features)
        return MaskDINOPredictions(matching, denoised, noise)

    def _predictions(
        self, hidden: Tensor, boxes: Tensor, mask_features: Tensor | None
    ) -> QueryPredictions:
        # As published, what the decoder returns is normed a second time.
        hidden = self.transformer_decoder.norm(hidden)
        masks = None
        if self.with_mask:
            masks = MaskLogits(self.mask_embed(hidden), mask_features)
        return QueryPredictions(self.cls_embed(hidden), masks, boxes)

    def _first_queries(
        self,
        batch_size: int,
        selected: tuple[Tensor, Tensor] | None,
        mask_features: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Content and box logits that the decoder starts from."""
        if selected is None:
            query, box_logits = (
                part.weight.expand(batch_size, -1, -1)
                for part in (self.query_feat, self.query_embed)
            )
            return query, box_logits
        content, box_logits = (part.detach() for part in selected)
        if self.initialize_box_type != 'no':
            with torch.no_grad():
                normed = self.transformer_decoder.norm(content)
                masks = MaskLogits(self.mask_embed(normed), mask_features)
                boxes = boxes_from_masks(masks, self.initialize_box_type)
            box_logits = inverse_sigmoid(boxes, eps=1e-5)
        if self.learn_query_feat:
            query_feat = self.query_feat.weight[: content.shape[1]]
            return query_feat.expand_as(content), box_logits
        return content, box_logits

    def get_targets(self, batch_data_samples: SampleList) -> list[Targets]:
        """Ground truth of each image, with boxes.

        Boxes of stuff, and of things where a data set has none, are drawn
        around the masks.

        Args:
            batch_data_samples: see :meth:`MaskQueryHead.get_targets`.

        Raises:
            ValueError: an image has neither boxes nor masks.
        """
        if self.with_mask:
            targets = super().get_targets(batch_data_samples)
        else:
            targets = [
                Targets.without_masks(sample.gt_instances.labels)
                for sample in batch_data_samples
            ]
        size = 'img_shape' if self.unpadded_boxes else 'batch_input_shape'
        # Where all classes are stuff, instances are no targets.
        things = self.num_things_classes > 0
        return [
            target.with_boxes(
                sample.gt_instances.get('bboxes') if things else None,
                sample.metainfo[size],
            )
            for target, sample in zip(targets, batch_data_samples, strict=True)
        ]

    def forward_with_targets(
        self,
        x: Sequence[Tensor],
        batch_data_samples: SampleList,
        targets: list[Targets],
    ) -> MaskDINOPredictions:
        """Predictions with denoising queries."""
        noise = self.denoising_queries(targets)
        predictions = self(x, batch_data_samples, noise)
        if noise is None and self.dn_query_generator is not None:
            # As published, every step uses the label embeddings.
            unused = 0 * self.dn_query_generator.label_embedding.weight.sum()
            matching = predictions.matching
            logits = matching.cls_logits + unused.to(matching.cls_logits)
            matching = matching._replace(cls_logits=logits)
            predictions = predictions._replace(matching=matching)
        return predictions

    def predict(
        self, x: Sequence[Tensor], batch_data_samples: SampleList
    ) -> tuple[Tensor, MaskLogits | None, Tensor]:
        """Predictions of the last layer, for the fusion head.

        Args:
            x: backbone maps, high to low resolution.
            batch_data_samples: not used.

        Returns:
            Class logits (B, Q, K), or (B, Q, K + 1) without ``use_sigmoid``,
            mask logits at stride 4 of the padded images or None, and boxes
            (B, Q, 4), (cx, cy, w, h) in [0, 1].
        """
        cls_logits, masks, boxes = self(x, batch_data_samples).matching
        if masks is not None:
            masks = MaskLogits(masks.embed[-1], masks.features)
        return cls_logits[-1], masks, boxes[-1]
