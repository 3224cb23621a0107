"""Ground truth of query models: bits, not floats."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from mmseg_plugin.structures.boxes import normalized_boxes


class Targets(NamedTuple):
    """Ground truth of one image.

    Attributes:
        labels: int64 (G,).
        masks: bool or uint8 (G, H, W) of the padded size; 0 and 1.
        boxes: (G, 4), (cx, cy, w, h) in [0, 1], or None.
    """

    labels: Tensor
    masks: Tensor
    boxes: Tensor | None = None

    @classmethod
    def from_instances(
        cls,
        instances: InstanceData,
        size: tuple[int, int],
        img_shape: tuple[int, int] | None = None,
    ) -> 'Targets':
        """Targets from mmdet's instances.

        Args:
            instances: ``labels``, ``masks`` (BitmapMasks, PolygonMasks or a
                tensor) and, if boxes are wanted, ``bboxes`` (x1, y1, x2, y2)
                in pixels.
            size: padded height and width, to which masks are padded.
            img_shape: height and width by which boxes are divided; boxes
                are left out if it is None.
        """
        labels, masks = instances.labels, instances.masks
        if not isinstance(masks, Tensor):
            masks = masks.to_tensor(torch.uint8, labels.device)
        missing = (size[0] - masks.shape[-2], size[1] - masks.shape[-1])
        if any(missing):
            masks = F.pad(masks, (0, missing[1], 0, missing[0]))
        if masks.dtype not in (torch.bool, torch.uint8):
            masks = masks.bool()
        boxes = None
        if img_shape is not None:
            boxes = normalized_boxes(instances.bboxes, img_shape)
        return cls(labels, masks, boxes)

    def with_stuff(
        self, sem_seg: Tensor, num_things: int, num_classes: int
    ) -> 'Targets':
        """Adds one mask for each stuff class present in a semantic map.

        Args:
            sem_seg: (H, W) or (1, H, W) of the padded size; classes from
                ``num_things`` up to ``num_classes`` are stuff, all other
                values are ignored.
            num_things: number of thing classes, which come first.
            num_classes: number of thing and stuff classes.
        """
        sem_seg = sem_seg.reshape(sem_seg.shape[-2:])
        present = sem_seg.unique()
        is_stuff = (present >= num_things) & (present < num_classes)
        labels = present[is_stuff].to(self.labels.dtype)
        stuff = sem_seg == labels.to(sem_seg.dtype)[:, None, None]
        masks = torch.cat((self.masks, stuff.to(self.masks.dtype)))
        return Targets(torch.cat((self.labels, labels)), masks, self.boxes)
