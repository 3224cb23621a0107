"""mmdet's visualizer for every result that the plugin's models give."""

from typing import Any

import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.palette import get_palette
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmseg_plugin.apis.segments import INSTANCE_OFFSET, masks_of
from mmseg_plugin.registry import VISUALIZERS
from mmseg_plugin.visualization.fonts import line


@VISUALIZERS.register_module()
class SegmentVisualizer(DetLocalVisualizer):
    """Draws results that stop mmdet's own visualizer.

    - Masks may be RLE, as ``test_cfg.rle=True`` gives them; empty ones of
      instances without boxes are left out.
    - Panoptic and semantic maps may be void throughout.
    - Class names may have any characters, see :func:`line`.
    - A data set needs no palette.
    - An image whose file asks to be turned is turned only if the model saw
      it so.

    Takes the arguments of mmdet's ``DetLocalVisualizer``.
    """

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Draws one image; the arguments are those of the base class.

        Args:
            name: of the picture.
            image: RGB, shape (h, w, 3).
            data_sample: annotations and results of the image.
            args: see the base class.
            kwargs: see the base class.
        """
        size = getattr(data_sample, 'ori_shape', None)
        path = getattr(data_sample, 'img_path', None)
        if path and size and tuple(size[:2]) == image.shape[1::-1]:
            # The caller turned the image, the config's loader did not.
            stored = mmcv.imread(path, 'color_ignore_orientation')
            if stored is not None and stored.shape[:2] == tuple(size[:2]):
                image = stored[..., ::-1]
        super().add_datasample(name, image, data_sample, *args, **kwargs)

    def draw_texts(
        self, texts: str | list[str], *args: Any, **kwargs: Any
    ) -> 'SegmentVisualizer':
        """Writes texts in fonts that have their characters.

        Args:
            texts: see the base class.
            args: see the base class.
            kwargs: see the base class.
        """
        lines = [
            line(t) for t in ([texts] if isinstance(texts, str) else texts)
        ]
        kwargs.setdefault('font_families', [one.families for one in lines])
        return super().draw_texts([*map(str, lines)], *args, **kwargs)

    def _draw_instances(
        self,
        image: np.ndarray,
        instances: InstanceData,
        classes: list[str] | None,
        palette: Any,
    ) -> np.ndarray:
        if isinstance(instances.get('masks'), Tensor | list):
            instances = _with_dense_masks(instances, image.shape[:2])
        most = int(instances.labels.max()) + 1 if len(instances) else 0
        colours = _colours(palette, max(len(classes or ()), most))
        return super()._draw_instances(image, instances, classes, colours)

    def _draw_panoptic_seg(
        self,
        image: np.ndarray,
        panoptic_seg: PixelData,
        classes: list[str] | None,
        palette: Any,
    ) -> np.ndarray:
        if 'label_names' not in panoptic_seg and classes is not None:
            count = len(classes)
            ids = np.asarray(panoptic_seg.sem_seg)
            ids = np.where(ids % INSTANCE_OFFSET < count, ids, count)
            if (ids == count).all():
                return image
            panoptic_seg = PixelData(sem_seg=ids)
            palette = _colours(palette, count)
        return super()._draw_panoptic_seg(
            image, panoptic_seg, classes, palette
        )

    def _draw_sem_seg(
        self,
        image: np.ndarray,
        sem_seg: PixelData,
        classes: list | None,
        palette: Any,
    ) -> np.ndarray:
        if 'label_names' not in sem_seg and classes is not None:
            # Whatever stands for void has neither name nor colour.
            labels = np.asarray(sem_seg.sem_seg)
            # 255 is a class where there are more.
            void = max(255, len(classes))
            void = sem_seg.metainfo.get('ignore_index', void)
            known = (labels >= 0) & (labels < len(classes)) & (labels != void)
            void = max(void, len(classes))
            labels = np.where(known, labels, void)
            sem_seg = PixelData(
                sem_seg=labels, metainfo={'ignore_index': void}
            )
            palette = _colours(palette, len(classes))
        return super()._draw_sem_seg(image, sem_seg, classes, palette)


def _colours(palette: Any, count: int) -> list[tuple[int, ...]]:
    """A colour for each class, whatever a data set says of them."""
    if palette is None or isinstance(palette, str):
        return get_palette(palette, count)
    own = [tuple(colour) for colour in palette]
    return own + get_palette(None, count)[len(own) :]


def _with_dense_masks(
    instances: InstanceData, size: tuple[int, ...]
) -> InstanceData:
    """The same with masks as a tensor, those without a pixel left out."""
    dense = InstanceData(metainfo=instances.metainfo)
    for key, value in instances.items():
        if key != 'masks':
            setattr(dense, key, value)
    masks = torch.zeros(0, *size, dtype=torch.bool)
    if len(instances):
        masks = torch.from_numpy(masks_of(instances))
    dense.masks = masks
    has_boxes = 'bboxes' in instances and instances.bboxes.sum() > 0
    return dense if has_boxes else dense[masks.flatten(1).any(1)]
