"""Mask R-CNN inside a graph."""

from typing import Any

import torch
from torch import Tensor, nn

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.exporting.boxes import level_features, suppress
from mmseg_plugin.exporting.frames import Frame, Size
from mmseg_plugin.exporting.scans import pasted


class MaskRCNNResults(nn.Module):
    """mmdet's two-stage detector of one stage of boxes, up to its results.

    Args:
        detector: with the weights.

    Raises:
        UserError: its parts or its ``test_cfg`` cannot be exported.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        _check(detector)
        self.detector: Any = detector

    def forward(self, image: Tensor, frame: Frame) -> dict[str, Tensor]:
        """Results of one image.

        Args:
            image: (1, 3, H, W), as the preprocessor gives it.
            frame: sizes of the results.

        Returns:
            The last instance is none: its label is -1.
        """
        features = self.detector.extract_feat(image)
        inside = frame.padded if frame.image is None else frame.image
        proposals = self._proposals(features, inside)
        boxes, scores, labels = self._detections(features, proposals, inside)
        # So that there is always one to look at.
        boxes = torch.cat((boxes, boxes.new_tensor([[0.0, 0.0, 1.0, 1.0]])))
        labels = torch.cat((labels, labels.new_zeros(1)))
        out = inside if frame.out is None else frame.out
        scales = (out[1] / inside[1], out[0] / inside[0]) * 2
        result = torch.stack(
            [boxes[:, i] * scale for i, scale in enumerate(scales)], 1
        )
        found = {
            'scores': torch.cat((scores, scores.new_zeros(1)))[None],
            'labels': torch.cat((labels[:-1], labels.new_tensor([-1])))[None],
            'boxes': result[None],
        }
        if self.detector.with_mask:
            maps = self._masks(features, boxes, labels)
            least = self.detector.roi_head.test_cfg.mask_thr_binary
            found['masks'] = paste(maps, result, out, least)[None]
        return found

    def _proposals(self, features: tuple[Tensor, ...], inside: Size) -> Tensor:
        """Boxes (n, 4) of the RPN, by falling score."""
        head = self.detector.rpn_head
        config = self.detector.test_cfg.rpn
        logits, changes = head(features)
        priors = head.prior_generator.grid_priors(
            [level.shape[-2:] for level in logits], device=logits[0].device
        )
        boxes, scores, groups = [], [], []
        for i, (level, change, prior) in enumerate(
            zip(logits, changes, priors, strict=True)
        ):
            score = (
                level[0].permute(1, 2, 0).reshape(-1, head.cls_out_channels)
            )
            score = (
                score.sigmoid()
                if head.use_sigmoid_cls
                else score.softmax(-1)[:, :-1]
            )[:, 0]
            change = change[0].permute(1, 2, 0).reshape(-1, 4)
            most = min(config.get('nms_pre', 1000), score.shape[0])
            score, chosen = score.topk(most)
            boxes.append(head.bbox_coder.decode(prior[chosen], change[chosen]))
            scores.append(score)
            groups.append(torch.full_like(score, i))
        corners = clip(torch.cat(boxes), inside)
        sides = corners[:, 2:] - corners[:, :2]
        large = (sides > config.get('min_bbox_size', -1)).all(1)
        kept = suppress(
            corners,
            torch.cat(scores).where(large, -1.0),
            torch.cat(groups),
            config.nms.iou_threshold,
            0.0,
            config.max_per_img,
        )
        return corners[kept]

    def _detections(
        self, features: tuple[Tensor, ...], proposals: Tensor, inside: Size
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (n, 4), scores and labels (n,), by falling score."""
        roi_head = self.detector.roi_head
        head, config = roi_head.bbox_head, roi_head.test_cfg
        rois = _rois(proposals)
        used = roi_head.bbox_roi_extractor.num_inputs
        pooled = level_features(
            roi_head.bbox_roi_extractor, features[:used], rois
        )
        logits, changes = head(pooled)
        scores = logits.softmax(-1)[:, : head.num_classes]
        kinds = 1 if head.reg_class_agnostic else head.num_classes
        corners = head.bbox_coder.decode(
            proposals[:, None].expand(-1, kinds, -1).reshape(-1, 4),
            changes.reshape(-1, 4),
        )
        corners = clip(corners, inside).reshape(-1, kinds, 4)
        corners = corners.expand(-1, head.num_classes, -1).reshape(-1, 4)
        labels = torch.arange(head.num_classes).expand_as(scores).reshape(-1)
        scores = scores.reshape(-1)
        kept = suppress(
            *(corners, scores, labels, config.nms.iou_threshold),
            *(config.score_thr, config.max_per_img),
        )
        return corners[kept], scores[kept], labels[kept]

    def _masks(
        self, features: tuple[Tensor, ...], boxes: Tensor, labels: Tensor
    ) -> Tensor:
        """Mask probabilities (n, 1, s, s) inside each box."""
        roi_head = self.detector.roi_head
        extractor = roi_head.mask_roi_extractor
        pooled = level_features(
            extractor, features[: extractor.num_inputs], _rois(boxes)
        )
        logits = roi_head.mask_head(pooled)
        if not roi_head.mask_head.class_agnostic:
            index = labels[:, None, None, None].expand(
                -1, -1, logits.shape[2], logits.shape[3]
            )
            logits = logits.gather(1, index)
        return logits.sigmoid()


def _rois(boxes: Tensor) -> Tensor:
    return torch.cat((torch.zeros_like(boxes[:, :1]), boxes), 1)


def clip(boxes: Tensor, inside: Size) -> Tensor:
    """Corners (n, 4) inside an image."""
    height, width = (torch.as_tensor(side).to(boxes) for side in inside)
    x1, y1, x2, y2 = boxes.clamp(min=0).unbind(1)
    return torch.stack(
        [
            torch.minimum(x1, width),
            torch.minimum(y1, height),
            torch.minimum(x2, width),
            torch.minimum(y2, height),
        ],
        1,
    )


def paste(maps: Tensor, boxes: Tensor, size: Size, threshold: float) -> Tensor:
    """Masks uint8 (n, *size) of maps (n, 1, s, s) in boxes (n, 4), bilinear.

    Products with what each pixel takes of rows and of columns: boxes have no
    angle.
    """
    rows = _shares(size[0], boxes[:, 1::2], maps.shape[2])
    columns = _shares(size[1], boxes[:, 0::2], maps.shape[3])
    return pasted(maps[:, 0], rows, columns.transpose(1, 2), threshold)


def _shares(length: Any, edges: Tensor, side: int) -> Tensor:
    """What pixels of an image take of those of boxes, (n, length, side).

    Args:
        length: of the image.
        edges: first and last of each box, (n, 2).
        side: pixels of a box.
    """
    centres = torch.arange(length, device=edges.device) + 0.5
    start, end = edges[:, :1], edges[:, 1:]
    places = (centres - start) / (end - start) * side - 0.5
    # A box without a side has no place in the image.
    places = places.where(places.isfinite(), -2.0)
    gaps = (places[..., None] - torch.arange(side, device=edges.device)).abs()
    return (1 - gaps).clamp(min=0)


def _check(detector: Any) -> None:
    roi_head = detector.roi_head
    kinds = {
        'rpn_head': (detector.rpn_head, ('RPNHead',)),
        'roi_head': (roi_head, ('StandardRoIHead',)),
        'bbox_head': (
            getattr(roi_head, 'bbox_head', None),
            ('Shared2FCBBoxHead', 'Shared4Conv1FCBBoxHead'),
        ),
        'bbox_roi_extractor': (
            getattr(roi_head, 'bbox_roi_extractor', None),
            ('SingleRoIExtractor',),
        ),
    }
    if detector.with_mask:
        kinds['mask_head'] = (
            roi_head.mask_head,
            ('FCNMaskHead', 'MultiLossMaskHead'),
        )
    for name, (part, known) in kinds.items():
        if type(part).__name__ not in known:
            raise UserError(
                f'{name}: {type(part).__name__} cannot be exported, '
                f'{" and ".join(known)} can'
            )
    for name in ('rpn', 'rcnn'):
        kind = detector.test_cfg[name].nms.get('type', 'nms')
        if kind != 'nms':
            raise UserError(
                f'model.test_cfg.{name}.nms: {kind} cannot be exported, '
                'nms can'
            )
