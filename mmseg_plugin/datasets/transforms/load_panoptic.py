"""Panoptic annotations in COCO's layout, read without panopticapi."""

import cv2
import mmcv
import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.structures.mask import BitmapMasks, encode_mask_results
from mmengine.fileio import get

from mmseg_plugin.registry import TRANSFORMS

VOID_LABEL = 255


def read_segment_ids(
    path: str,
    backend_args: dict | None = None,
    imdecode_backend: str | None = None,
) -> np.ndarray:
    """Reads a panoptic PNG, whose colours are segment ids.

    Args:
        path: file, at any place that mmengine's file backends read.
        backend_args: see :func:`mmengine.fileio.get`.
        imdecode_backend: see :func:`mmcv.imfrombytes`.

    Returns:
        int32 (H, W), red + 256 * green + 65536 * blue.

    Raises:
        ValueError: the file is no image.
    """
    image = mmcv.imfrombytes(
        get(path, backend_args=backend_args),
        flag='color',
        backend=imdecode_backend,
    )
    if image is None:
        raise ValueError(f'{path} is not an image that can be decoded')
    # The bytes red, green, blue, alpha are one little-endian number.
    rgba = cv2.cvtColor(image, cv2.COLOR_BGR2RGBA)
    return rgba.view('<i4')[..., 0] & 0xFFFFFF


@TRANSFORMS.register_module()
class LoadPanopticAnnotations(LoadAnnotations):
    """Loads masks, boxes and the semantic map of a panoptic data set.

    Gives what mmdet's transform of this name gives, which needs panopticapi:
    ``gt_masks``, ``gt_bboxes``, ``gt_bboxes_labels`` and ``gt_ignore_flags``
    of the things, and ``gt_seg_map`` with the class of every pixel, crowds
    included, 255 where there is no segment. Without ``seg_map_path`` there
    are no masks and no map.

    Args:
        with_bbox: load boxes and ignore flags.
        with_label: load labels.
        with_mask: load masks.
        with_seg: load the semantic map.
        with_rle: add ``mask``, an RLE, to each of ``instances``, from which
            ``mmdet.CocoMetric`` evaluates without a file.
        box_type: see mmdet's ``LoadAnnotations``.
        imdecode_backend: see :func:`mmcv.imfrombytes`.
        backend_args: see :func:`mmengine.fileio.get`.
    """

    def __init__(
        self,
        with_bbox: bool = True,
        with_label: bool = True,
        with_mask: bool = True,
        with_seg: bool = True,
        with_rle: bool = False,
        box_type: str = 'hbox',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
    ):
        super().__init__(
            with_bbox=with_bbox,
            with_label=with_label,
            with_mask=with_mask,
            with_seg=with_seg,
            box_type=box_type,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )
        self.with_rle = with_rle

    def transform(self, results: dict) -> dict:
        """Adds the annotations.

        Args:
            results: of mmdet's ``CocoPanopticDataset``: ``instances``,
                ``segments_info`` and ``seg_map_path``.
        """
        if self.with_bbox:
            self._load_bboxes(results)
        if self.with_label:
            self._load_labels(results)
        if not (self.with_mask or self.with_seg):
            return results
        if results.get('seg_map_path') is None:
            return results
        ids = read_segment_ids(
            results['seg_map_path'], self.backend_args, self.imdecode_backend
        )
        segments = results['segments_info']
        if self.with_mask:
            things = [s['id'] for s in segments if s['is_thing']]
            masks = [(ids == thing).view(np.uint8) for thing in things]
            results['gt_masks'] = BitmapMasks(masks, *ids.shape)
            if self.with_rle:
                results['instances'] = [
                    {**instance, 'mask': rle}
                    for instance, rle in zip(
                        results['instances'],
                        encode_mask_results(masks),
                        strict=True,
                    )
                ]
        if self.with_seg:
            results['gt_seg_map'] = _semantic_map(ids, segments)
            results['ignore_index'] = VOID_LABEL
        return results


def _semantic_map(ids: np.ndarray, segments: list[dict]) -> np.ndarray:
    labels = np.full_like(ids, VOID_LABEL)
    for segment in segments:
        labels[ids == segment['id']] = segment['category']
    return labels
