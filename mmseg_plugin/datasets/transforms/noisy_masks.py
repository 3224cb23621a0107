"""Annotation noise for instance masks, to study losses under it."""

import math
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.mask import BitmapMasks

from mmseg_plugin.registry import TRANSFORMS


def _move_outline(mask: np.ndarray, px: float | np.ndarray) -> np.ndarray:
    """Moves the outline inwards by ``px`` pixels, outwards if negative."""
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform(
        1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    return np.where(np.asarray(px) > 0, inside > px, outside <= -px)


def _erode(
    mask: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    return _move_outline(mask, strength)


def _dilate(
    mask: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    return _move_outline(mask, -strength)


def _jitter(
    mask: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    noise = rng.standard_normal(mask.shape, dtype=np.float32)
    # Bumps about as wide as they are high; finer noise would only fray.
    waves = cv2.GaussianBlur(noise, (0, 0), max(strength, 1.0))
    return _move_outline(mask, strength * waves / np.abs(waves).max())


def _shift(
    mask: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    angle = rng.uniform(0, 2 * math.pi)
    step = np.rint(strength * np.array([math.cos(angle), math.sin(angle)]))
    matrix = np.array([[1, 0, step[0]], [0, 1, step[1]]])
    return cv2.warpAffine(mask, matrix, mask.shape[::-1])


def _drop(
    mask: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    ys, xs = np.nonzero(mask)
    centre = rng.integers(len(ys))
    near = np.hypot(ys - ys[centre], xs - xs[centre]) <= strength
    mask = mask.copy()
    mask[ys[near], xs[near]] = 0
    return mask


def _box(
    mask: np.ndarray, strength: float, rng: np.random.Generator
) -> np.ndarray:
    x, y, w, h = cv2.boundingRect(mask)
    box = np.zeros_like(mask)
    box[y : y + h, x : x + w] = 1
    return box


NOISES = {
    'erode': _erode,
    'dilate': _dilate,
    'jitter': _jitter,
    'shift': _shift,
    'drop': _drop,
    'box': _box,
}


@TRANSFORMS.register_module()
class NoisyMasks(BaseTransform):
    """Makes the masks of an image wrong, the same way in every epoch.

    Each instance gets one kind of noise, drawn from a generator that is
    seeded by ``seed``, the image and the instance's place in it, since an
    annotator's mistake does not change between epochs. Belongs right after
    the annotations are loaded, so that ``strength`` counts pixels of the
    stored image. A mask that would vanish is left as it was.

    Required keys: ``img_id``, ``gt_masks``; ``gt_bboxes`` if ``update_boxes``.
    Modified keys: ``gt_masks`` (polygons become bitmaps), ``gt_bboxes`` if
    ``update_boxes``.

    Args:
        strength: in pixels: how far ``erode``, ``dilate`` and at most
            ``jitter`` move the outline, the length of ``shift``, the radius
            of the disc that ``drop`` cuts out; ``box`` ignores it.
        kinds: kinds to draw from, all equally likely.
        prob: share of the instances that get noise, in [0, 1].
        seed: another seed gives another noise.
        update_boxes: whether boxes become those of the noisy masks. If not,
            only the mask branch of a model sees the noise.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        strength: float = 2.0,
        kinds: Sequence[str] = tuple(NOISES),
        prob: float = 1.0,
        seed: int = 0,
        update_boxes: bool = False,
    ) -> None:
        unknown = sorted(set(kinds) - set(NOISES))
        if unknown or not kinds:
            raise ValueError(
                f'kinds must be some of {list(NOISES)}, got {list(kinds)}'
            )
        if not strength > 0:
            raise ValueError(f'strength must be above 0 px, got {strength}')
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        self.strength = strength
        self.kinds = list(kinds)
        self.prob = prob
        self.seed = seed
        self.update_boxes = update_boxes

    def transform(self, results: dict) -> dict:
        """Replaces the masks of one image.

        Args:
            results: what the loading transforms of mmdet leave.
        """
        masks = results['gt_masks']
        image = zlib.crc32(str(results['img_id']).encode())
        noisy = masks.to_ndarray().astype(np.uint8)
        for index in range(len(noisy)):
            rng = np.random.default_rng((self.seed, image, index))
            if rng.random() < self.prob:
                self._disturb(noisy[index], rng)
        results['gt_masks'] = BitmapMasks(noisy, masks.height, masks.width)
        if self.update_boxes:
            results['gt_bboxes'] = results['gt_masks'].get_bboxes(
                type(results['gt_bboxes'])
            )
        return results

    def _disturb(self, mask: np.ndarray, rng: np.random.Generator) -> None:
        """Puts noise on one mask, shape (h, w), in place."""
        kind = self.kinds[rng.integers(len(self.kinds))]
        x, y, w, h = cv2.boundingRect(mask)
        if w == 0:
            return
        margin = math.ceil(self.strength) + 1
        part = mask[
            max(y - margin, 0) : y + h + margin,
            max(x - margin, 0) : x + w + margin,
        ]
        noisy = NOISES[kind](part, self.strength, rng)
        if noisy.any():
            part[...] = noisy

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(strength={self.strength}, '
            f'kinds={self.kinds}, prob={self.prob}, seed={self.seed}, '
            f'update_boxes={self.update_boxes})'
        )
