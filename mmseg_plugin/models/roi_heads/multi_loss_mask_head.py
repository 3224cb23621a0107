"""Mask head that is trained with any mask loss, or with several."""

import inspect
from collections.abc import Sequence

import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.utils import ConfigType, InstanceList
from torch import Tensor, nn

from mmseg_plugin.registry import MODELS

PLAIN_BCE = {'type': 'mmseg_plugin.LabelSmoothingBCELoss', 'smoothing': 0.0}


def select_class(mask_preds: Tensor, labels: Tensor) -> Tensor:
    """Picks the mask of the target class of each RoI.

    Args:
        mask_preds: shape (R, num_classes, H, W), or (R, 1, H, W) of a
            class-agnostic head, whose one mask serves every class.
        labels: class index of each RoI, shape (R,).

    Returns:
        Shape (R, H, W).
    """
    if mask_preds.size(1) == 1:
        return mask_preds[:, 0]
    return mask_preds[torch.arange(len(labels), device=labels.device), labels]


def _takes_labels(loss: nn.Module) -> bool:
    takes = inspect.signature(loss.forward).parameters
    if not {'pred', 'target'} <= takes.keys():
        raise TypeError(
            f'loss_mask: {type(loss).__name__} takes {tuple(takes)}, but has '
            'to take pred and target, the masks of the target class; plain '
            f'BCE is {PLAIN_BCE}'
        )
    return 'labels' in takes


@MODELS.register_module()
class MultiLossMaskHead(FCNMaskHead):
    """:class:`FCNMaskHead` with a free choice of mask losses.

    The stock head hands the masks of all classes, the targets and the labels
    to the loss by position, where most losses take the third for a weight.
    This one picks the mask of the target class first and calls every loss by
    keyword: ``pred`` (R, H, W) logits, ``target`` (R, H, W) and, if the loss
    has a parameter of that name, ``labels`` (R,).

    The losses have the same keys whatever the batch holds: zeros that are
    part of the graph when no RoI is positive.

    Args:
        loss_mask: config of one loss, logged as ``loss_mask``; or of several
            by name, ``dict(bce=dict(type=...), dice=dict(type=...))``, or in
            a list, each logged as ``loss_mask_<name or index>`` and weighted
            by its own ``loss_weight``. The default, plain BCE, equals the
            stock head.
        **kwargs: of :class:`FCNMaskHead`.

    Raises:
        TypeError: a loss does not take ``pred`` and ``target``, such as the
            stock head's ``CrossEntropyLoss(use_mask=True)``.
    """

    def __init__(
        self,
        *,
        loss_mask: ConfigType
        | dict[str, ConfigType]
        | Sequence[ConfigType] = PLAIN_BCE,
        **kwargs,
    ):
        if 'type' in loss_mask:
            losses = {'loss_mask': loss_mask}
        else:
            named = isinstance(loss_mask, dict)
            items = loss_mask.items() if named else enumerate(loss_mask)
            losses = {f'loss_mask_{name}': loss for name, loss in items}
        # The parent builds a list as a sequence of losses.
        super().__init__(loss_mask=list(losses.values()), **kwargs)
        self.loss_names = tuple(losses)
        self.takes_labels = tuple(map(_takes_labels, self.loss_mask))

    def loss_and_target(
        self,
        mask_preds: Tensor,
        sampling_results: list[SamplingResult],
        batch_gt_instances: InstanceList,
        rcnn_train_cfg: ConfigType,
    ) -> dict:
        """Computes the losses of the positive RoIs.

        Args:
            mask_preds: logits, shape (R, num_classes or 1, H, W).
            sampling_results: of each image; R positives together.
            batch_gt_instances: ``masks`` of each image.
            rcnn_train_cfg: gives ``mask_size`` and ``soft_mask_target``.

        Returns:
            ``loss_mask``: the losses by name; ``mask_targets``: (R, H, W).
        """
        mask_targets = self.get_targets(
            sampling_results, batch_gt_instances, rcnn_train_cfg
        )
        labels = torch.cat([res.pos_gt_labels for res in sampling_results])
        pred = select_class(mask_preds, labels)
        inputs = {'pred': pred, 'target': mask_targets}
        losses = {}
        for name, loss, takes_labels in zip(
            self.loss_names, self.loss_mask, self.takes_labels, strict=True
        ):
            if len(pred) == 0:
                losses[name] = pred.sum()
            elif takes_labels:
                losses[name] = loss(**inputs, labels=labels)
            else:
                losses[name] = loss(**inputs)
        return {'loss_mask': losses, 'mask_targets': mask_targets}
