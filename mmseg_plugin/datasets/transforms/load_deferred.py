"""Annotations that are rasterised at the end of a pipeline."""

from typing import Any

from mmdet.datasets.transforms import LoadAnnotations

from mmseg_plugin.registry import TRANSFORMS
from mmseg_plugin.structures.deferred_masks import DeferredMasks


@TRANSFORMS.register_module()
class LoadDeferredAnnotations(LoadAnnotations):
    """mmdet's ``LoadAnnotations``, but polygons and RLE stay what they are.

    Flips, resizes, crops and padding, mmdet's own included, only note what
    they do; ``mmseg_plugin.PackMaskInputs`` rasterises what is visible, once.
    mmdet's ``PackDetInputs`` works too. Transforms that do anything else to
    masks get bitmaps.

    Polygons are moved as numbers, as the published mappers of detectron2 do,
    so outlines differ by pixels from those of resized bitmaps.

    Args:
        backend: whose nearest neighbour resizes RLE: ``'pillow'``, the
            published one, or ``'cv2'``, mmdet's.
        kwargs: those of ``LoadAnnotations``, with ``with_mask`` on.
    """

    def __init__(self, backend: str = 'pillow', **kwargs: Any) -> None:
        super().__init__(**{'with_mask': True, **kwargs})
        self.backend = backend

    def _load_masks(self, results: dict) -> None:
        size = results.get('ori_shape')
        if size is None:
            size = (results['height'], results['width'])
        height, width = size
        masks = self._process_masks(results)
        results['gt_masks'] = DeferredMasks(masks, height, width, self.backend)
