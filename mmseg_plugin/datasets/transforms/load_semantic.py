"""Label maps of 8 or 16 bits."""

import numpy as np
from mmcv.transforms import LoadAnnotations

from mmseg_plugin.datasets.panoptic_files import undecodable_named
from mmseg_plugin.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadSemanticAnnotations(LoadAnnotations):
    """Loads a label map without a limit of 255 classes.

    Takes the place of mmseg's ``LoadAnnotations``, which keeps 8 bits of a
    label, and of mmdet's. Without ``seg_map_path`` there is no map, so that
    the inferencers of mmseg need not drop it.

    Args:
        ignore_index: label of no class, above all classes. Set that of the
            head and of the metric, and ``seg_pad_val`` (mmdet:
            ``seg_pad_value``) of the data preprocessor to the same.
        reduce_zero_label: 0 is no class, and label 1 the first.
        imdecode_backend: see :func:`mmcv.imfrombytes`; ``'pillow'`` gives
            the labels of images with a palette.
        backend_args: see :func:`mmengine.fileio.get`.

    Raises:
        ValueError: the map is no image, has colours, or is of another size
            than its image.
    """

    def __init__(
        self,
        ignore_index: int = 65535,
        reduce_zero_label: bool = False,
        imdecode_backend: str = 'pillow',
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            with_bbox=False,
            with_label=False,
            with_seg=True,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )
        self.ignore_index = ignore_index
        self.reduce_zero_label = reduce_zero_label

    def transform(self, results: dict) -> dict:
        """Adds ``gt_seg_map``, int32 (h, w), and ``ignore_index``.

        Args:
            results: of a data set of mmdet or mmseg.
        """
        if results.get('seg_map_path') is None:
            return results
        return super().transform(results)

    def _load_seg_map(self, results: dict) -> None:
        path = results['seg_map_path']
        with undecodable_named(path):
            super()._load_seg_map(results)
        stored = results['gt_seg_map']
        if stored.ndim != 2 or stored.dtype.kind not in 'biu':
            raise ValueError(
                f'{path} is no label map: write labels of 8 or 16 bits as an '
                f'image of one channel (it is {stored.dtype} of shape '
                f'{stored.shape})'
            )
        size = results.get('ori_shape')
        if size is not None and stored.shape != tuple(size[:2]):
            raise ValueError(
                f'{path} is of {stored.shape[0]} x {stored.shape[1]} pixels, '
                f'its image {results["img_path"]} of {size[0]} x {size[1]}'
            )
        labels = stored.astype(np.int32)
        if self.reduce_zero_label:
            void = (labels == 0) | (labels == self.ignore_index)
            labels = np.where(void, self.ignore_index, labels - 1)
        before = labels.copy()
        for old, new in (results.get('label_map') or {}).items():
            labels[before == old] = new
        results['gt_seg_map'] = labels
        results['ignore_index'] = self.ignore_index
        results.setdefault('seg_fields', []).append('gt_seg_map')
