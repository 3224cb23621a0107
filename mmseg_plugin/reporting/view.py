"""Everything that the sections of one run are made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mmseg_plugin.apis.predictor import validation_reader
from mmseg_plugin.evaluation.pairing import Pairs
from mmseg_plugin.reporting.matching import (
    ScoredHits,
    best_threshold,
    match,
    scored_hits,
)
from mmseg_plugin.reporting.measures import Measured, measure
from mmseg_plugin.reporting.queries import QueryFacts
from mmseg_plugin.reporting.records import Judged
from mmseg_plugin.reporting.run_files import RunFiles

# Gives the pixels of an image file.
Reader = Callable[[Path], np.ndarray]
KIND_WORDS = {
    'instances': 'instances',
    'panoptic': 'panoptic segmentation',
    'semantic': 'semantic segmentation',
}


@dataclass
class JudgedView:
    """One kind of result with what follows from it.

    Attributes:
        judged: records of images.
    """

    judged: Judged

    @cached_property
    def measured(self) -> Measured:
        """AP, PQ or IoU."""
        return measure(self.judged)

    @cached_property
    def hits(self) -> ScoredHits:
        """Scores of all results, and whether they were right."""
        return scored_hits(self.judged)

    @cached_property
    def threshold(self) -> float:
        """Score from which a result is drawn and counted."""
        return best_threshold(self.hits)

    @cached_property
    def matched(self) -> list[Pairs]:
        """Each image taken apart, at the threshold."""
        return [match(r, self.threshold) for r in self.judged.images]


@dataclass
class RunView:
    """One run.

    Attributes:
        files: what it left behind.
        name: that tells it from the other runs of the report.
        kinds: its results, the main kind first; none if nothing could be
            predicted.
        queries: None unless it is a query model.
        samples: drawn training samples, where a hook saved none.
        notes: what is missing, in sentences.
    """

    files: RunFiles
    name: str
    kinds: list[JudgedView] = field(default_factory=list)
    queries: QueryFacts | None = None
    samples: list[np.ndarray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read(self, path: Path) -> np.ndarray:
        """The pixels of a validation image, as the config reads them.

        Args:
            path: of the image.
        """
        return validation_reader(self.files.config)(path)

    @property
    def main(self) -> JudgedView | None:
        """The kind that the outcome is told by."""
        return self.kinds[0] if self.kinds else None
