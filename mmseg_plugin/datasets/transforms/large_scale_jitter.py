"""Large scale jittering as published, with its work at the last size."""

from typing import NamedTuple

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import autocast_box_type
from mmengine.fileio import get

from mmseg_plugin.datasets.windows import resized_window
from mmseg_plugin.registry import TRANSFORMS
from mmseg_plugin.structures.deferred_masks import LateMasks
from mmseg_plugin.structures.placement import (
    Flip,
    Placement,
    Resize,
    Step,
    Window,
)

_REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class Jitter(NamedTuple):
    """What was drawn for one image.

    Attributes:
        flip: whether left and right are swapped, first of all.
        size: height and width it is resized to.
        offset: row and column of the resized image where the crop begins.
    """

    flip: bool
    size: tuple[int, int]
    offset: tuple[int, int]


@TRANSFORMS.register_module()
class LargeScaleJitter(BaseTransform):
    """Flips, resizes, crops and pads to one size, as detectron2 does.

    Stands for loading of the image, random flip, resize, crop and padding.
    The draws are those of the published mappers: one factor, one offset for
    both axes, padding with 128 before normalisation. Images stay uint8, as
    published, and only the window that the crop keeps is resized.

    Masks that are deferred (``mmseg_plugin.LoadDeferredAnnotations``,
    ``mmseg_plugin.LoadDeferredPanoptic``) only note the steps, and objects
    that left the image are dropped by ``mmseg_plugin.PackMaskInputs``.

    Source: detectron2 02b5c4e, data/transforms/augmentation_impl.py,
    ``ResizeScale`` and ``FixedSizeCrop``.

    Required keys: ``img_path``, unless ``img`` is loaded. Modified keys:
    ``img``, ``img_shape``, ``gt_bboxes``, ``gt_masks``, ``gt_seg_map``. Added
    keys: ``ori_shape``, ``flip``, ``flip_direction``, ``scale_factor``.

    Args:
        size: width and height of the result.
        ratio_range: least and largest factor of ``size``, into which the
            image is made to fit.
        flip_prob: share of the images that are flipped.
        backend: ``'pillow'`` resizes as the published mappers do, bilinear
            with antialiasing; ``'cv2'`` as mmdet, bilinear of four pixels
            whatever the factor, in a tenth of the time, with aliasing where
            images shrink.
        reduced_decoding: whether JPEG files are decoded at 1/2, 1/4 or 1/8
            where they shrink at least so much. Pixels differ by some levels.
        pad_val: value of the image's padding.
        seg_pad_val: label of the padding of ``gt_seg_map``.
        backend_args: see :func:`mmengine.fileio.get`.

    Raises:
        ValueError: an argument is out of its range; or an image cannot be
            decoded, is not uint8, or is of another size than its file of
            annotations says.
    """

    def __init__(
        self,
        size: tuple[int, int] = (1024, 1024),
        ratio_range: tuple[float, float] = (0.1, 2.0),
        flip_prob: float = 0.5,
        backend: str = 'pillow',
        reduced_decoding: bool = False,
        pad_val: int = 128,
        seg_pad_val: int = 255,
        backend_args: dict | None = None,
    ) -> None:
        if backend not in ('pillow', 'cv2'):
            raise ValueError(f'backend is pillow or cv2, not {backend}')
        if not 0 < ratio_range[0] <= ratio_range[1]:
            raise ValueError(
                f'ratio_range is a least and a largest factor above 0, not '
                f'{ratio_range}'
            )
        self.size = size
        self.ratio_range = ratio_range
        self.flip_prob = flip_prob
        self.backend = backend
        self.reduced_decoding = reduced_decoding
        self.pad_val = pad_val
        self.seg_pad_val = seg_pad_val
        self.backend_args = backend_args

    def draw(self, size: tuple[int, int]) -> Jitter:
        """What is done to an image of a height and a width."""
        low, high = self.ratio_range
        flip = np.random.rand() < self.flip_prob
        factor = np.random.uniform(low, high)
        width, height = self.size
        by = factor * min(height / size[0], width / size[1])
        new = np.maximum(np.round(np.multiply(size, by)), 1).astype(int)
        room = np.maximum(new - (height, width), 0)
        offset = np.round(room * np.random.uniform()).astype(int)
        return Jitter(bool(flip), tuple(new.tolist()), tuple(offset.tolist()))

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Jitters one image and what belongs to it."""
        if 'img' in results:
            image = results['img']
            size = image.shape[:2]
            jitter = self.draw(size)
        else:
            data = get(results['img_path'], backend_args=self.backend_args)
            image, size, jitter = self._decoded(data, results)
        results['ori_shape'] = size
        results['img'] = self._image(image, jitter, results)
        results['img_shape'] = results['img'].shape[:2]
        results['flip'] = jitter.flip
        results['flip_direction'] = 'horizontal' if jitter.flip else None
        height, width = jitter.size
        results['scale_factor'] = (width / size[1], height / size[0])
        self._boxes(results, jitter)
        self._masks(results, size, jitter)
        return results

    def _decoded(
        self, data: bytes, results: dict
    ) -> tuple[np.ndarray, tuple[int, int], Jitter]:
        """The image, perhaps smaller, its stored size and what is drawn."""
        path = results['img_path']
        flag, reduced = cv2.IMREAD_COLOR, 1
        listed: tuple[int, int] | None = None
        if self.reduced_decoding and results.get('height'):
            listed = results['height'], results['width']
            jitter = self.draw(listed)
            shrink = min(np.divide(listed, jitter.size))
            reduced = max((f for f in _REDUCED if f <= shrink), default=1)
            flag = _REDUCED.get(reduced, flag)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
        if image is None:
            raise ValueError(f'{path} is not an image that can be decoded')
        size = image.shape[:2]
        if listed is None:
            return image, size, self.draw(size)
        if size != tuple(-(-side // reduced) for side in listed):
            raise ValueError(
                f'{path} is not of the {listed[0]} x {listed[1]} pixels that '
                'its annotations say'
            )
        return image, listed, jitter

    def _image(
        self, image: np.ndarray, jitter: Jitter, results: dict
    ) -> np.ndarray:
        if image.dtype != np.uint8:
            raise ValueError(
                f'{results.get("img_path")} is an image of {image.dtype}, '
                'uint8 is needed: load it with to_float32=False'
            )
        if jitter.flip:
            image = mmcv.imflip(image)
        width, height = self.size
        kept = min(height, jitter.size[0]), min(width, jitter.size[1])
        found = resized_window(
            image, jitter.size, jitter.offset, kept, self.backend
        )
        # By channels, as PackDetInputs wants it: no second copy there.
        padded = np.empty((3, height, width), np.uint8)
        padded[:, kept[0] :] = padded[:, : kept[0], kept[1] :] = self.pad_val
        for plane, channel in zip(padded, cv2.split(found), strict=True):
            plane[: kept[0], : kept[1]] = channel
        return padded.transpose(1, 2, 0)

    def _boxes(self, results: dict, jitter: Jitter) -> None:
        boxes = results.get('gt_bboxes')
        if boxes is None:
            return
        if jitter.flip:
            boxes.flip_(results['ori_shape'])
        boxes.rescale_(results['scale_factor'])
        top, left = jitter.offset
        boxes.translate_((-left, -top))
        boxes.clip_(results['img_shape'])
        if results.get('gt_masks') is not None:
            return
        here = boxes.is_inside(results['img_shape']).numpy()
        for key in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
            if key in results:
                results[key] = results[key][here]

    def _masks(
        self, results: dict, size: tuple[int, int], jitter: Jitter
    ) -> None:
        (top, left), (width, height) = jitter.offset, self.size
        masks = results.get('gt_masks')
        if masks is not None:
            if jitter.flip:
                masks = masks.flip()
            masks = masks.resize(jitter.size)
            window = np.array([left, top, left + width, top + height])
            masks = masks.crop(window)
            if not isinstance(masks, LateMasks):
                masks = masks.pad((height, width))
            results['gt_masks'] = masks
        if results.get('gt_seg_map') is not None:
            steps: list[Step] = [Flip(0)] if jitter.flip else []
            steps.append(Resize(jitter.size, self.backend))
            steps.append(Window(top, left, (height, width), clip=True))
            placement = Placement(size, tuple(steps))
            results['gt_seg_map'] = placement.gather(
                results['gt_seg_map'], self.seg_pad_val
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, '
            f'ratio_range={self.ratio_range}, flip_prob={self.flip_prob}, '
            f'backend={self.backend!r}, '
            f'reduced_decoding={self.reduced_decoding})'
        )
