"""Ground truth of query models: bits, not floats."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from mmseg_plugin.structures.boxes import boxes_of, normalized_boxes
from mmseg_plugin.structures.packed_masks import PackedMasks
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
            instances: ``labels``, ``masks`` (mmdet's, ours or a tensor;
                packed ones are unpacked on the device) and, if boxes are
                wanted, ``bboxes`` (x1, y1, x2, y2) in pixels.
            size: padded height and width, to which masks are padded.
            box_size: height and width by which boxes are divided; boxes
                are left out if it is None.

        Raises:
            ValueError: the masks are larger than ``size``.
        """
        labels, masks = instances.labels, instances.masks
        if isinstance(masks, PackedMasks):
            masks = masks.to_tensor(torch.bool, labels.device)
        elif not isinstance(masks, Tensor):
            # Without it, the operator synchronises to count them.
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

    @classmethod
    def none(cls, like: Tensor) -> 'Targets':
        """No targets, for an image of a map's size (..., H, W) and device."""
        return cls(
            like.new_zeros(0, dtype=torch.long),
            like.new_zeros(0, *like.shape[-2:], dtype=torch.bool),
        )

    @classmethod
    def without_masks(cls, labels: Tensor) -> 'Targets':
        """Targets of a detector without masks, from labels (G,)."""
        return cls(labels, labels.new_zeros(len(labels), 0, 0))

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


_NUMBERS_OF_CLASSES = (
    'num_things_classes and num_stuff_classes of panoptic_head and '
    'panoptic_fusion_head'
)


def checked_ignore_index(ignore_index: int, num_classes: int) -> int:
    """The label of no class; 255, the usual one, only up to 255 classes.

    A class may be ignored on purpose, by its own number.

    Raises:
        ValueError: it is 255, and one of more classes.
    """
    if ignore_index == 255 < num_classes:
        raise ValueError(
            f'ignore_index={ignore_index} is one of the {num_classes} '
            'classes of the head: set ignore_index of the head and of the '
            'metric, the padding of maps of the data_preprocessor and pad_val '
            'of Pad to 65535, and load the maps with '
            'mmseg_plugin.LoadSemanticAnnotations or LoadPanopticAnnotations'
        )
    return ignore_index


def check_labels(
    labels: Tensor,
    image: Tensor,
    num_classes: int,
    image_ids: list | None = None,
    kind: str = 'classes',
    fix: str = _NUMBERS_OF_CLASSES,
) -> None:
    """Refuses labels that a head has no class for.

    Args:
        labels: int64 (N,) on the CPU.
        image: place in the batch of each label's image, the same.
        num_classes: number that labels have to be below.
        image_ids: names of the images; their places in the batch if None.
        kind: what the classes are called.
        fix: options to be set.

    Raises:
        ValueError: a label is negative or too large.
    """
    wrong = ((labels < 0) | (labels >= num_classes)).nonzero()
    if not len(wrong):
        return
    first = wrong[0, 0]
    place, label = int(image[first]), int(labels[first])
    name = image_ids[place] if image_ids else None
    text = (
        f'label {label} of image '
        f'{f"{place} of the batch" if name is None else name}'
    )
    if label < 0:
        raise ValueError(
            f'{text} is negative: the classes are 0 to {num_classes - 1}, '
            'check the labels of the data set'
        )
    raise ValueError(
        f'{text} is not below the {num_classes} {kind} of the head: set '
        f'{fix} to what the data set has'
    )


def add_stuff(
    targets: list[Targets],
    sem_segs: list[Tensor],
    num_things: int,
    num_classes: int,
    ignore_index: int = 255,
    image_ids: list | None = None,
    fix: str = _NUMBERS_OF_CLASSES,
) -> list[Targets]:
    """Adds one mask for each stuff class present in a semantic map.

    Which classes are present reaches the host in one copy for all images.

    Args:
        targets: of each image.
        sem_segs: of each image, (H, W) or (1, H, W) of the padded size;
            classes from ``num_things`` up to ``num_classes`` are stuff,
            those before are not looked at.
        num_things: number of thing classes, which come first.
        num_classes: number of thing and stuff classes.
        ignore_index: value that belongs to no class, whatever it is; all
            others have to be below ``num_classes``.
        image_ids: names of the images in errors.
        fix: see :func:`check_labels`.

    Returns:
        The targets with stuff behind the things, by ascending class.

    Raises:
        ValueError: see :func:`check_labels`.
    """
    maps, found = zip(
        *[
            _seen(target, seg, num_things, num_classes, ignore_index)
            for target, seg in zip(targets, sem_segs, strict=True)
        ],
        strict=True,
    )
    on_host = to_host(torch.stack(found), 'stuff')
    image = torch.arange(len(targets))
    some = torch.tensor([len(target.labels) > 0 for target in targets])
    check_labels(
        *(on_host[some, 0], image[some], num_things, image_ids),
        'thing classes',
    )
    check_labels(*(on_host[:, 1], image, num_classes, image_ids), fix=fix)
    return [
        _with_stuff(target, stuff, classes.nonzero()[:, 0], num_things)
        for target, stuff, classes in zip(
            targets, maps, on_host[:, 2:], strict=True
        )
    ]


def _seen(
    target: Targets,
    seg: Tensor,
    num_things: int,
    num_classes: int,
    ignore_index: int,
) -> tuple[Tensor, Tensor]:
    """Stuff in the semantic map of one image; see :func:`add_stuff`.

    Returns:
        Class among the stuff of each pixel (H, W), outside of their range
        where there is none. What the host has to know, int64 (2 + stuff
        classes): a label that may be wrong of the things, one of the pixels,
        and whether each stuff class is there.
    """
    num_stuff = num_classes - num_things
    stuff = seg.reshape(seg.shape[-2:]).long()
    stuff = stuff.masked_fill(stuff == ignore_index, -1)
    # A negative pixel belongs to no class.
    suspects = (_suspect(target.labels), stuff.amax().clamp(min=0))
    stuff = stuff - num_things
    is_stuff = (stuff >= 0) & (stuff < num_stuff)
    index = stuff.where(is_stuff, num_stuff).flatten()
    seen = stuff.new_zeros(num_stuff + 1).scatter_(0, index, 1)
    return stuff, torch.cat((torch.stack(suspects), seen[:num_stuff]))


def _with_stuff(
    target: Targets, stuff: Tensor, classes: Tensor, num_things: int
) -> Targets:
    """Things, then stuff: ``classes`` (n,) on the CPU of the map (H, W)."""
    index = to_device(classes, stuff.device)
    masks = (stuff == index[:, None, None]).to(target.masks.dtype)
    return Targets(
        torch.cat((target.labels, index + num_things)),
        torch.cat((target.masks, masks)),
        target.boxes,
    )


def image_names(batch_data_samples: list[BaseDataElement]) -> list:
    """Names for messages: id or, without one, path of each image."""
    return [
        sample.metainfo.get('img_id', sample.metainfo.get('img_path'))
        for sample in batch_data_samples
    ]


def _suspect(labels: Tensor) -> Tensor:
    """The least of labels (G,) if it is negative, else the largest or 0."""
    low, high = F.pad(labels, (0, 1)).aminmax()
    return torch.where(low < 0, low, high)
