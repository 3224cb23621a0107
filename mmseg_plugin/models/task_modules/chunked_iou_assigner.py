"""Anchors to boxes, in memory that the number of boxes does not add to."""

from typing import Any

import torch
from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmseg_plugin.registry import TASK_UTILS

# Most pairs of boxes and anchors that are compared at a time; mmdet's tables
# take about 40 bytes for each.
PAIRS = 2**24


@TASK_UTILS.register_module()
class ChunkedIoUAssigner(MaxIoUAssigner):
    """mmdet's ``MaxIoUAssigner`` for images with any number of boxes.

    mmdet compares all boxes with all anchors at once: 2,000 boxes in an
    image of 1024 x 1024 and three anchors a place are 700 million pairs.
    Where there are more than ``chunk_size``, boxes are taken some at a time
    here; what is assigned is the same. ``gpu_assign_thr``, which moves such
    images to the CPU, is not needed then, and not looked at.

    Args:
        *args: of mmdet's ``MaxIoUAssigner``.
        chunk_size: most pairs at a time, but at least those of one box.
        **kwargs: of mmdet's ``MaxIoUAssigner``.
    """

    chunk_size = PAIRS

    def __init__(
        self, *args: Any, chunk_size: int = PAIRS, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.chunk_size = chunk_size

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """See mmdet's ``MaxIoUAssigner``.

        Args:
            pred_instances: ``priors`` (N, 4), (x1, y1, x2, y2) in pixels.
            gt_instances: ``bboxes`` (G, 4), the same, and ``labels`` (G,).
            gt_instances_ignore: ``bboxes`` (I, 4), the same.
            **kwargs: not used.
        """
        priors = pred_instances.priors
        boxes = get_box_tensor(gt_instances.bboxes)
        step = max(self.chunk_size // max(len(priors), 1), 1)
        if len(boxes) <= step or self.perm_repeat_gt_cfg is not None:
            return super().assign(
                pred_instances, gt_instances, gt_instances_ignore, **kwargs
            )
        ignored = self._ignored(priors, gt_instances_ignore, step)
        best, chosen, forced = self._nearest(boxes, priors, ignored, step)
        low, high = 0.0, self.neg_iou_thr
        if isinstance(high, tuple):
            low, high = high
        given = chosen.new_full(chosen.shape, -1)
        given = given.masked_fill((best >= low) & (best < high), 0)
        given = torch.where(best >= self.pos_iou_thr, chosen + 1, given)
        given = torch.where(forced > 0, forced, given)
        labels = gt_instances.labels[(given - 1).clamp(min=0)]
        labels = labels.masked_fill(given <= 0, -1)
        return AssignResult(len(boxes), given, best, labels)

    def _nearest(
        self, boxes: Tensor, priors: Tensor, ignored: Tensor | None, step: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For each anchor (N,): overlap with the nearest box, the box, and
        the number, from 1, of the last box that has to get it, 0 for none.
        """
        best = priors.new_full((len(priors),), -2)
        chosen = torch.zeros_like(best, dtype=torch.long)
        forced = torch.zeros_like(chosen)
        numbers = torch.arange(1, len(boxes) + 1, device=boxes.device)
        for number, part in zip(
            numbers.split(step), boxes.split(step), strict=True
        ):
            overlaps = self.iou_calculator(part, priors)
            if ignored is not None:
                overlaps.masked_fill_(ignored, -1)
            value, index = overlaps.max(0)
            # Of equal ones the first, as in one table.
            chosen = torch.where(value > best, number[index] - 1, chosen)
            best = torch.maximum(best, value)
            if not self.match_low_quality:
                continue
            most, anchor = overlaps.max(1)
            wanted = most >= self.min_pos_iou
            if self.gt_max_assign_all:
                box, anchor = (overlaps == most[:, None]).nonzero().T
                number, wanted = number[box], wanted[box]
            number = number.where(wanted, 0)
            forced.scatter_reduce_(0, anchor, number, 'amax')
        return best, chosen, forced

    def _ignored(
        self, priors: Tensor, ignore: InstanceData | None, step: int
    ) -> Tensor | None:
        """Anchors (N,) that lie in a region to be ignored."""
        if self.ignore_iof_thr <= 0 or ignore is None or not len(ignore):
            return None
        found = torch.zeros(len(priors), device=priors.device).bool()
        for part in get_box_tensor(ignore.bboxes).split(step):
            if self.ignore_wrt_candidates:
                share = self.iou_calculator(priors, part, mode='iof').amax(1)
            else:
                share = self.iou_calculator(part, priors, mode='iof').amax(0)
            found |= share > self.ignore_iof_thr
        return found


def compare_in_chunks(detector: nn.Module) -> None:
    """Puts :class:`ChunkedIoUAssigner` in the place of mmdet's own.

    Args:
        detector: changed in place.
    """
    for part in detector.modules():
        for name in ('assigner', 'bbox_assigner'):
            found = vars(part).get(name)
            for each in found if isinstance(found, list) else [found]:
                if type(each) is MaxIoUAssigner:
                    # Only the way it computes differs.
                    each.__class__ = ChunkedIoUAssigner
