"""Predictions of Mask DINO for matching and for denoising queries."""

from typing import NamedTuple

from mmseg_plugin.models.layers.denoising import DenoisingQueries
from mmseg_plugin.structures import QueryPredictions


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
