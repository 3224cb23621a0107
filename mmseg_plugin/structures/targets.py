"""Ground truth of query models: bits, not floats."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from mmseg_plugin.structures.boxes import boxes_of, normalized_boxes
from mmseg_plugin.utils.host import to_device, to_host


class Targets(NamedTuple):
    """Ground truth of one image.

    Attributes:
        labels: int64 (G,).
        masks: bool or uint8 (G, H, W) of the padded size; 0 and 1. Empty,
            (G, 0, 0), for a detector without masks.
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
        box_size: tuple[int, int] | None = None,
    ) -> 'Targets':
        """Targets from mmdet's instances.

        Args:
            instances: ``labels``, ``masks`` (BitmapMasks, PolygonMasks or a
                tensor) and, if boxes are wanted, ``bboxes`` (x1, y1, x2, y2)
                in pixels.
            size: padded height and width, to which masks are padded.
            box_size: height and width by which boxes are divided; boxes
                are left out if it is None.

        Raises:
            ValueError: the masks are larger than ``size``.
        """
        labels, masks = instances.labels, instances.masks
        if not isinstance(masks, Tensor):
            # By itself it would wait for the device.
            masks = masks.to_tensor(torch.uint8, 'cpu')
            masks = to_device(masks, labels.device)
        missing = (size[0] - masks.shape[-2], size[1] - masks.shape[-1])
        if min(missing) < 0:
            raise ValueError(
                f'masks of {tuple(masks.shape[-2:])} pixels are larger than '
                f'the padded images, {tuple(size)}'
            )
        if any(missing):
            masks = F.pad(masks, (0, missing[1], 0, missing[0]))
        if masks.dtype not in (torch.bool, torch.uint8):
            masks = masks.bool()
        boxes = None
        if box_size is not None:
            boxes = normalized_boxes(instances.bboxes, box_size)
        return cls(labels, masks, boxes)

    def with_boxes(
        self, bboxes: Tensor | None, box_size: tuple[int, int]
    ) -> 'Targets':
        """Sets the boxes of all targets.

        Args:
            bboxes: of the first targets, (n, 4), (x1, y1, x2, y2) in pixels,
                a tensor or mmdet's boxes; None for no target. The others get
                boxes around their masks.
            box_size: height and width by which boxes are divided.

        Raises:
            ValueError: a target has neither a box nor a mask.
        """
        corners = self.labels.new_zeros(0, 4, dtype=torch.float)
        if bboxes is not None:
            corners = getattr(bboxes, 'tensor', bboxes)
        count = len(self.labels) - len(corners)
        if count:
            if not self.masks.numel():
                raise ValueError('targets need boxes (bboxes) or masks')
            around, _ = boxes_of(self.masks[-count:].bool())
            corners = torch.cat((corners, around))
        return self._replace(boxes=normalized_boxes(corners, box_size))


def add_stuff(
    targets: list[Targets],
    sem_segs: list[Tensor],
    num_things: int,
    num_classes: int,
) -> list[Targets]:
    """Adds one mask for each stuff class present in a semantic map.

    Which classes are present reaches the host in one copy for all images.

    Args:
        targets: of each image.
        sem_segs: of each image, (H, W) or (1, H, W) of the padded size;
            classes from ``num_things`` up to ``num_classes`` are stuff, all
            other values are ignored.
        num_things: number of thing classes, which come first.
        num_classes: number of thing and stuff classes.

    Returns:
        The targets with stuff behind the things, by ascending class.
    """
    num_stuff = num_classes - num_things
    maps = [
        seg.reshape(seg.shape[-2:]).long() - num_things for seg in sem_segs
    ]
    present = []
    for stuff in maps:
        is_stuff = (stuff >= 0) & (stuff < num_stuff)
        seen = stuff.new_zeros(num_stuff + 1, dtype=torch.bool)
        index = stuff.where(is_stuff, num_stuff).flatten()
        present.append(seen.scatter_(0, index, True)[:num_stuff])
    on_host = to_host(torch.stack(present), 'stuff')
    results = []
    for target, stuff, seen in zip(targets, maps, on_host, strict=True):
        index = to_device(seen.nonzero()[:, 0], stuff.device)
        masks = (stuff == index[:, None, None]).to(target.masks.dtype)
        results.append(
            Targets(
                torch.cat((target.labels, index + num_things)),
                torch.cat((target.masks, masks)),
                target.boxes,
            )
        )
    return results
