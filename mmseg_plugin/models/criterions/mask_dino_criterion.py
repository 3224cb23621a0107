"""What Mask DINO adds: the encoder's predictions and denoising queries."""

from typing import Any, NamedTuple

from torch import Tensor

from mmseg_plugin.models.criterions.query_criterion import (
    QueryCriterion,
    name_layers,
)
from mmseg_plugin.models.layers.denoising import DenoisingQueries
from mmseg_plugin.structures import Matches, QueryPredictions, Targets


class MaskDINOPredictions(NamedTuple):
    """What the head predicts.

    Attributes:
        matching: of the encoder if there is a query selection, of the first
            queries, then after each decoder layer.
        denoising: of the denoising queries, without the encoder; None
            without such queries.
        noise: the denoising queries themselves.
    """

    matching: QueryPredictions
    denoising: QueryPredictions | None = None
    noise: DenoisingQueries | None = None


class MaskDINOCriterion(QueryCriterion):
    """:class:`QueryCriterion` with encoder and denoising losses.

    Args:
        two_stage: the first prediction is that of the encoder.
        initial_pred: there is one before the first decoder layer.
        denoising: there may be denoising queries.
        denoise_masks: they restore masks too.
        kwargs: see :class:`QueryCriterion`.
    """

    def __init__(
        self,
        two_stage: bool,
        initial_pred: bool,
        denoising: bool,
        denoise_masks: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_initial=two_stage + initial_pred, **kwargs)
        self.two_stage = two_stage
        self.denoising = denoising
        self.denoise_masks = denoise_masks
        # As published, without query selection the prediction before the
        # first layer is not trained to denoise.
        self.first_denoised = int(initial_pred and not two_stage)

    def forward(  # type: ignore[override]
        self,
        predictions: MaskDINOPredictions,
        targets: list[Targets],
        match_points: Tensor | None = None,
        loss_points: Tensor | None = None,
        image_ids: list | None = None,
        dn_points: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses of all layers, of matching and of denoising queries.

        Args:
            predictions: see :class:`MaskDINOPredictions`.
            targets: of each image.
            match_points: see :meth:`QueryCriterion.forward`.
            loss_points: the same.
            image_ids: names of the images in warnings and errors.
            dn_points: like ``loss_points``, for denoising queries.

        Returns:
            Those of :class:`QueryCriterion`; with the prefix ``enc_`` of the
            encoder, ``dn_`` of denoising queries. The keys are the same
            whatever the batch holds. With denoising also ``dn_dropped``, the
            targets without a query.

        Raises:
            ValueError: see :meth:`match`.
        """
        matching = (predictions.matching, targets)
        matches = self.match(*matching, match_points, image_ids)
        avg_factor = self.target_count(targets)
        found = self.losses_by_layer(
            *matching, matches, avg_factor, loss_points
        )
        layers = {name: loss.unbind() for name, loss in found.items()}
        losses = {}
        if self.two_stage:
            losses = {f'enc_{name}': loss[0] for name, loss in layers.items()}
            layers = {name: loss[1:] for name, loss in layers.items()}
        losses |= name_layers(layers)
        if self.denoising:
            losses |= self._denoising_losses(
                predictions, targets, avg_factor, dn_points
            )
        return losses

    def _denoising_losses(
        self,
        predictions: MaskDINOPredictions,
        targets: list[Targets],
        avg_factor: Tensor,
        points: Tensor | None,
    ) -> dict[str, Tensor]:
        """Losses ``dn_...``; zeros if the batch had nothing to denoise."""
        first, noise = self.first_denoised, predictions.noise
        if noise is None or predictions.denoising is None:
            layers = self._nothing_denoised(predictions.matching)
            dropped = sum(len(target.labels) for target in targets)
        else:
            denoised = predictions.denoising.from_layer(first)
            if not self.denoise_masks:
                denoised = denoised._replace(masks=None)
            layers = self.losses_of_pairs(
                denoised,
                noise.targets,
                Matches.fixed(noise.queries, len(denoised.cls_logits)),
                avg_factor * noise.queries_per_target,
                points,
            )
            dropped = noise.num_dropped
        named = name_layers({f'dn_{k}': v for k, v in layers.items()}, first)
        return named | {'dn_dropped': avg_factor.new_full((), dropped)}

    def _nothing_denoised(
        self, matching: QueryPredictions
    ) -> dict[str, Tensor]:
        logits = matching.cls_logits
        num_layers = len(logits) - self.two_stage - self.first_denoised
        names = ['loss_cls', 'loss_bbox', 'loss_iou']
        if self.denoise_masks:
            names += ['loss_mask', 'loss_dice']
        return {name: logits.new_zeros(num_layers).float() for name in names}
