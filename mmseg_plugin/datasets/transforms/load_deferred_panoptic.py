"""Panoptic maps that are resized once, at the end of a pipeline."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmseg_plugin.datasets.panoptic_files import check_present
from mmseg_plugin.datasets.transforms.load_panoptic import (
    LoadPanopticAnnotations,
)
from mmseg_plugin.registry import TRANSFORMS
from mmseg_plugin.structures.deferred_regions import DeferredRegions


def numbered(
    ids: np.ndarray, listed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A map of ids as one of their places in a list.

    Args:
        ids: (H, W).
        listed: different ids (n,).

    Returns:
        The map, uint8 (H, W) for up to 255 ids, else uint16, from 1, 0 for
        what is not listed; and the number of pixels of each id, (n,).
    """
    flat = ids.ravel()
    # Segments are runs of equal pixels: one look-up for each.
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    lengths = np.diff(starts, append=len(flat))
    order = np.argsort(listed)
    known = np.append(np.asarray(listed, int)[order], -1)
    runs = flat[starts]
    place = np.searchsorted(known[:-1], runs)
    found = known[place] == runs
    number = np.where(found, np.append(order, -1)[place] + 1, 0)
    pixels = np.bincount(number, lengths, len(listed) + 1)
    dtype = np.uint8 if len(listed) <= 255 else np.uint16
    numbers = np.repeat(number.astype(dtype), lengths)
    return numbers.reshape(ids.shape), pixels[1:].astype(int)


@TRANSFORMS.register_module()
class LoadDeferredPanoptic(LoadPanopticAnnotations):
    """``LoadPanopticAnnotations``, but the map stays as it is stored.

    ``gt_masks`` notes flips, resizes, crops and padding, mmdet's own
    included. ``mmseg_plugin.PackMaskInputs``, which has to be the last step,
    makes masks and ``gt_seg_map`` from it, at the last size. As published,
    the map is resized by nearest neighbour.

    Args:
        backend: whose nearest neighbour, ``'pillow'`` (the published one) or
            ``'cv2'`` (mmdet's).
        kwargs: those of ``LoadPanopticAnnotations`` but ``with_rle``.

    Raises:
        ValueError: see ``LoadPanopticAnnotations``.
    """

    def __init__(self, backend: str = 'pillow', **kwargs: Any) -> None:
        if kwargs.get('with_rle') or not kwargs.get('with_mask', True):
            raise ValueError(
                'LoadDeferredPanoptic makes masks and no RLE: take '
                'LoadPanopticAnnotations for with_rle or without masks'
            )
        super().__init__(**kwargs)
        self.backend = backend

    def _load_map(self, results: dict) -> None:
        ids = self._read_ids(results)
        segments = results['segments_info']
        numbers, pixels = numbered(ids, [s['id'] for s in segments])
        lacking = [
            s['id']
            for s, count in zip(segments, pixels, strict=True)
            if not count
        ]
        check_present(results['seg_map_path'], lacking, np.zeros(0, int))
        labels = np.array(
            [self.ignore_index, *(self._label(s) for s in segments)]
        )
        small = labels.min() >= 0 and labels.max() <= 255
        results['gt_masks'] = DeferredRegions(
            numbers,
            [i for i, s in enumerate(segments, 1) if s['is_thing']],
            labels.astype(np.uint8 if small else np.int32),
            self.backend,
        )
        if self.with_seg:
            results['ignore_index'] = self.ignore_index
