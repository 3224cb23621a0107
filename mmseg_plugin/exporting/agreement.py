"""How far the results of two programs for one image agree."""

from typing import NamedTuple

import numpy as np
from mmengine.structures import BaseDataElement, InstanceData

from mmseg_plugin.apis.segments import id_map, masks_of

# Instances that score less are not compared, if there are any others.
_LEAST_SCORE = 0.05


class Compared(NamedTuple):
    """One output of some images.

    Attributes:
        differences: of all matched values.
        compared: instances or pixels.
        matched: how many of them agree.
        ious: of matched masks.
    """

    differences: np.ndarray
    compared: int
    matched: int
    ious: np.ndarray

    def __add__(self, other: tuple) -> 'Compared':
        if not isinstance(other, Compared):
            return NotImplemented
        return Compared(
            np.concatenate((self.differences, other.differences)),
            self.compared + other.compared,
            self.matched + other.matched,
            np.concatenate((self.ious, other.ious)),
        )


def compare(
    first: BaseDataElement, second: BaseDataElement
) -> dict[str, Compared]:
    """Compares two results of one image.

    Args:
        first: the reference.
        second: of the other program.

    Returns:
        By output: ``scores``, ``boxes`` and ``masks`` of instances,
        ``panoptic`` and ``semantic``.
    """
    found: dict[str, Compared] = {}
    if 'pred_instances' in first:
        found |= _instances(first.pred_instances, second.pred_instances)
    for name, key in (
        ('panoptic', 'pred_panoptic_seg'),
        ('semantic', 'pred_sem_seg'),
    ):
        if key in first:
            found[name] = _maps(
                id_map(first.get(key)), id_map(second.get(key))
            )
    return found


def _maps(first: np.ndarray, second: np.ndarray) -> Compared:
    ious = []
    for value in np.unique(first):
        a, b = first == value, second == value
        ious.append((a & b).sum() / (a | b).sum())
    return Compared(
        (first != second).astype(np.float32).ravel(),
        first.size,
        int((first == second).sum()),
        np.array(ious),
    )


def _instances(
    first: InstanceData, second: InstanceData
) -> dict[str, Compared]:
    """Pairs instances of one label, the ones that overlap most first."""
    least = min(_LEAST_SCORE, first.scores.numpy().max(initial=0))
    # A little less too: equal scores may lie on both sides of a threshold.
    first, second = (
        part[np.flatnonzero(part.scores.numpy() >= 0.9 * least)]
        for part in (first, second)
    )
    whole = 'masks' in first
    overlap = box_ious(first.bboxes.numpy(), second.bboxes.numpy())
    if whole:
        masks = masks_of(first), masks_of(second)
        filled = [part.any(axis=(1, 2)) for part in masks]
        # Empty masks have nothing but their boxes.
        some = np.logical_or.outer(*filled)
        overlap = np.where(some, mask_ious(*masks), overlap)
    same = first.labels.numpy()[:, None] == second.labels.numpy()
    counted = [part.scores.numpy() >= least for part in (first, second)]
    pairs = [
        (row, column)
        for row, column in _pairs(overlap * same)
        if counted[0][row] or counted[1][column]
    ]
    alone = [
        np.delete(part, [pair[side] for pair in pairs]).sum()
        for side, part in enumerate(counted)
    ]
    compared = len(pairs) + int(max(alone))
    rows = [row for row, _ in pairs]
    columns = [column for _, column in pairs]
    ious = overlap[rows, columns]
    found = {}
    for name, key in (('scores', 'scores'), ('boxes', 'bboxes')):
        values, others = first.get(key).numpy(), second.get(key).numpy()
        difference = np.abs(values[rows] - others[columns]).ravel()
        found[name] = Compared(difference, compared, len(pairs), ious)
    if whole:
        found['masks'] = Compared(1 - ious, compared, len(pairs), ious)
    return found


def _pairs(overlap: np.ndarray) -> list[tuple[int, int]]:
    """Greedy pairs of rows and columns that overlap by half at least."""
    pairs: list[tuple[int, int]] = []
    rows: set[int] = set()
    columns: set[int] = set()
    for flat in np.argsort(-overlap, axis=None, kind='stable'):
        row, column = np.unravel_index(flat, overlap.shape)
        if overlap[row, column] < 0.5:
            break
        if row not in rows and column not in columns:
            rows.add(int(row))
            columns.add(int(column))
            pairs.append((int(row), int(column)))
    return pairs


def mask_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU (n, m) of bool masks (n, h, w) and (m, h, w)."""
    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)), np.float32)
    a = first.reshape(len(first), -1).astype(np.float32)
    b = second.reshape(len(second), -1).astype(np.float32)
    both = a @ b.T
    union = a.sum(1)[:, None] + b.sum(1) - both
    return both / np.maximum(union, 1)


def box_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU (n, m) of boxes (n, 4) and (m, 4), corners in pixels."""
    low = np.maximum(first[:, None, :2], second[:, :2])
    high = np.minimum(first[:, None, 2:], second[:, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (first, second)]
    union = areas[0][:, None] + areas[1] - both
    # Boxes without an area are the same or are not.
    same = (first[:, None] == second).all(2)
    return np.where(same, 1, both / np.maximum(union, 1e-9))
