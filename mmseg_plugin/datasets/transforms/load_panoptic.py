"""Panoptic annotations in COCO's layout, read without panopticapi."""

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.structures.mask import BitmapMasks, encode_mask_results

from mmseg_plugin.datasets.panoptic_files import (
    check_present,
    read_segment_ids,
)
from mmseg_plugin.registry import TRANSFORMS

VOID_LABEL = 255


@TRANSFORMS.register_module()
class LoadPanopticAnnotations(LoadAnnotations):
    """Loads masks, boxes and the semantic map of a panoptic data set.

    Gives what mmdet's transform of this name gives, which needs panopticapi:
    ``gt_masks``, ``gt_bboxes``, ``gt_bboxes_labels`` and ``gt_ignore_flags``
    of the things, and ``gt_seg_map`` with the class of every pixel, crowds
    included, ``ignore_index`` where there is no segment. Without
    ``seg_map_path`` there are no masks and no map.

    Args:
        with_bbox: load boxes and ignore flags.
        with_label: load labels.
        with_mask: load masks.
        with_seg: load the semantic map.
        with_rle: add ``mask``, an RLE, to each of ``instances``, from which
            ``mmseg_plugin.CocoInstanceMetric`` evaluates without a file.
        ignore_index: label of pixels without a segment, above all classes.
            With another than 255 set that of the head, ``seg_pad_value`` of
            the data preprocessor and ``pad_val`` of ``Pad`` too.
        box_type: see mmdet's ``LoadAnnotations``.
        imdecode_backend: see :func:`mmcv.imfrombytes`.
        backend_args: see :func:`mmengine.fileio.get`.

    Raises:
        ValueError: the map is no image of colours, is of another size than
            the image, or lacks a listed segment; or a label is not below
            ``ignore_index``.
    """

    def __init__(
        self,
        with_bbox: bool = True,
        with_label: bool = True,
        with_mask: bool = True,
        with_seg: bool = True,
        with_rle: bool = False,
        ignore_index: int = VOID_LABEL,
        box_type: str = 'hbox',
        imdecode_backend: str = 'cv2',
        backend_args: dict | None = None,
    ):
        super().__init__(
            with_bbox=with_bbox,
            with_label=with_label,
            with_mask=with_mask,
            with_seg=with_seg,
            ignore_index=ignore_index,
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
        if results.get('seg_map_path') is not None:
            self._load_map(results)
        return results

    def _load_map(self, results: dict) -> None:
        ids = self._read_ids(results)
        segments = results['segments_info']
        found = {s['id']: ids == s['id'] for s in segments}
        lacking = [i for i, mask in found.items() if not mask.any()]
        check_present(results['seg_map_path'], lacking, np.zeros(0, int))
        if self.with_mask:
            masks = [
                found[s['id']].view(np.uint8)
                for s in segments
                if s['is_thing']
            ]
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
            labels = np.full_like(ids, self.ignore_index)
            for segment in segments:
                labels[found[segment['id']]] = self._label(segment)
            results['gt_seg_map'] = labels
            results['ignore_index'] = self.ignore_index

    def _read_ids(self, results: dict) -> np.ndarray:
        path = results['seg_map_path']
        ids = read_segment_ids(path, self.backend_args, self.imdecode_backend)
        size = results.get('ori_shape')
        if size is not None and ids.shape != tuple(size[:2]):
            raise ValueError(
                f'{path} is of {ids.shape[0]} x {ids.shape[1]} pixels, its '
                f'image {results["img_path"]} of {size[0]} x {size[1]}'
            )
        return ids

    def _label(self, segment: dict) -> int:
        label = segment['category']
        if label >= self.ignore_index >= 0:
            raise ValueError(
                f'label {label} is not below {self.ignore_index}, which is no '
                'class: set ignore_index of LoadPanopticAnnotations and of '
                'the head, seg_pad_value of the data_preprocessor and pad_val '
                'of Pad to 65535'
            )
        return label
