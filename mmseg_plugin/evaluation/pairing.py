"""Which results are right, which are of another class, what was missed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# From here on a result and an object are the same thing.
MIN_IOU = 0.5


class Pair(NamedTuple):
    """A result and the object that it is taken for.

    Attributes:
        truth: index of the object.
        found: index of the result.
        iou: in [0.5, 1].
    """

    truth: int
    found: int
    iou: float


class Pairs(NamedTuple):
    """One image taken apart.

    Attributes:
        right: pairs of one class.
        confused: pairs of two classes.
        missed: objects without a pair.
        false: results without a pair, less those on a crowd.
    """

    right: list[Pair]
    confused: list[Pair]
    missed: list[int]
    false: list[int]

    @property
    def quality(self) -> float | None:
        """PQ of the image over all classes; None where nothing is."""
        wrong = len(self.false) + len(self.missed) + 2 * len(self.confused)
        count = len(self.right) + wrong / 2
        return sum(p.iou for p in self.right) / count if count else None


def pair_up(
    ious: np.ndarray,
    found: Sequence[int],
    truth: Sequence[int],
    scores: Sequence[float] | None = None,
    crowd: Sequence[bool] | None = None,
) -> Pairs:
    """Pairs results with objects, the best scores first.

    An object of the same class is preferred to one of another.

    Args:
        ious: (F, T); of a crowd, the share of the result on it.
        found: label of each result, (F,).
        truth: label of each object, (T,).
        scores: (F,); None: the results are of one rank.
        crowd: (T,), groups that are neither found nor missed; None: none.
    """
    wanted = np.asarray(truth, int)
    crowds = np.array(crowd or [False] * len(wanted), bool)
    rank = np.zeros(len(found)) if scores is None else np.asarray(scores)
    order = np.argsort(-rank, kind='stable').tolist()
    free: np.ndarray = ~crowds
    right: list[Pair] = []
    confused: list[Pair] = []
    for same, pairs in ((True, right), (False, confused)):
        done = {p.found for p in right}
        for i in order:
            fits = free & ((wanted == found[i]) == same)
            if i in done or not fits.any():
                continue
            best = int(np.where(fits, ious[i], -1).argmax())
            if ious[i, best] >= MIN_IOU:
                free[best] = False
                pairs.append(Pair(best, i, float(ious[i, best])))
    paired = {p.found for p in right + confused}
    on_crowd = np.any(ious[:, crowds] >= MIN_IOU, axis=1).tolist()
    false = [i for i in order if i not in paired and not on_crowd[i]]
    return Pairs(right, confused, np.flatnonzero(free).tolist(), false)
