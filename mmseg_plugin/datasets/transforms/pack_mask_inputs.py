"""The end of a pipeline: masks are made, and travel as bits."""

from typing import Any

import torch
from mmdet.datasets.transforms import PackDetInputs
from mmengine.structures import InstanceData

from mmseg_plugin.registry import TRANSFORMS
from mmseg_plugin.structures.deferred_masks import LateMasks
from mmseg_plugin.structures.deferred_regions import DeferredRegions
from mmseg_plugin.structures.packed_masks import PackedMasks
from mmseg_plugin.structures.pinned_sample import PinnedDetDataSample


@TRANSFORMS.register_module()
class PackMaskInputs(PackDetInputs):
    """mmdet's ``PackDetInputs`` with masks of one bit a pixel.

    Deferred masks (``mmseg_plugin.LoadDeferredAnnotations``) are rasterised
    here, and boxes become those of what is visible: around polygons, around
    the pixels of RLE. Objects without a pixel are dropped, so an image may
    be left without any. Crowds keep their boxes, not their masks. Heads of
    mmdet work with the packed masks as with bitmaps.

    Args:
        min_area: least number of pixels of a mask; 0 keeps those without, as
            the published instance mapper does where a polygon is too thin,
            and the panoptic one wherever a segment was cropped away.
        kwargs: those of ``PackDetInputs``.
    """

    def __init__(self, min_area: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_area = min_area

    def transform(self, results: dict) -> dict:
        """Packs one image."""
        masks = results.get('gt_masks')
        if isinstance(masks, DeferredRegions) and 'ignore_index' in results:
            results['gt_seg_map'] = masks.seg_map()
        packed = super().transform(results)
        sample = packed['data_samples']
        if 'masks' in sample.ignored_instances:
            del sample.ignored_instances.masks
        if 'masks' in sample.gt_instances:
            sample.gt_instances = self._packed(sample.gt_instances)
        pinned = PinnedDetDataSample(metainfo=sample.metainfo)
        pinned.set_data(dict(sample.items()))
        packed['data_samples'] = pinned
        return packed

    def _packed(self, instances: InstanceData) -> InstanceData:
        masks = instances.masks
        del instances.masks
        late = isinstance(masks, LateMasks)
        if not late:
            masks = PackedMasks.from_ndarray(masks.to_ndarray())
        keep = masks.areas >= self.min_area
        if not keep.all():
            instances = instances[torch.from_numpy(keep)]
            masks = masks[keep]
        if late and 'bboxes' in instances:
            kind = type(instances.bboxes)
            instances.bboxes = masks.get_bboxes(kind)
        instances.masks = masks.packed() if late else masks
        return instances
