"""RoIAlign and NMS as operators of ONNX."""

from typing import Any

import torch
from mmcv.ops import nms, roi_align
from torch import Tensor


class _RoIAlign(torch.autograd.Function):
    """ONNX's ``RoiAlign``, of opset 16."""

    @staticmethod
    def forward(
        ctx: Any,
        feature: Tensor,
        rois: Tensor,
        size: tuple[int, int],
        scale: float,
        samples: int,
        aligned: bool,
    ) -> Tensor:
        return roi_align(feature, rois, size, scale, samples, 'avg', aligned)

    @staticmethod
    def symbolic(
        g: Any,
        feature: Any,
        rois: Any,
        size: tuple[int, int],
        scale: float,
        samples: int,
        aligned: bool,
    ) -> Any:
        image = g.op('Constant', value_t=torch.tensor(0))
        corners = g.op('Constant', value_t=torch.tensor([1, 2, 3, 4]))
        images = g.op('Gather', rois, image, axis_i=1)
        return g.op(
            'RoiAlign',
            feature,
            g.op('Gather', rois, corners, axis_i=1),
            g.op('Cast', images, to_i=7),
            output_height_i=size[0],
            output_width_i=size[1],
            spatial_scale_f=scale,
            sampling_ratio_i=samples,
            mode_s='avg',
            coordinate_transformation_mode_s=(
                'half_pixel' if aligned else 'output_half_pixel'
            ),
        )


class _NMS(torch.autograd.Function):
    """ONNX's ``NonMaxSuppression`` of one image and class."""

    @staticmethod
    def forward(
        ctx: Any,
        boxes: Tensor,
        scores: Tensor,
        iou_thr: float,
        score_thr: float,
        most: int,
    ) -> Tensor:
        good = (scores > score_thr).nonzero()[:, 0]
        _, kept = nms(boxes[good], scores[good], iou_thr)
        return good[kept[:most]]

    @staticmethod
    def symbolic(
        g: Any,
        boxes: Any,
        scores: Any,
        iou_thr: float,
        score_thr: float,
        most: int,
    ) -> Any:
        def constant(value: Any) -> Any:
            return g.op('Constant', value_t=torch.tensor([value]))

        first = g.op('Constant', value_t=torch.tensor([0]))
        both = g.op('Constant', value_t=torch.tensor([0, 1]))
        chosen = g.op(
            'NonMaxSuppression',
            g.op('Unsqueeze', boxes, first),
            g.op('Unsqueeze', scores, both),
            constant(most),
            constant(iou_thr),
            constant(score_thr),
        )
        column = g.op('Constant', value_t=torch.tensor(2))
        return g.op('Gather', chosen, column, axis_i=1)


def suppress(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    iou_thr: float,
    score_thr: float,
    most: int,
) -> Tensor:
    """mmcv's ``batched_nms`` of one image.

    Args:
        boxes: (n, 4), corners.
        scores: (n,).
        groups: (n,), boxes of different ones do not suppress each other.
        iou_thr: overlap from which one does.
        score_thr: what scores less, or as much, is left out.
        most: that are kept.

    Returns:
        Places of those kept, by falling score.
    """
    apart = groups.to(boxes) * (boxes.amax() + 1)
    return _NMS.apply(boxes + apart[:, None], scores, iou_thr, score_thr, most)


def level_features(
    extractor: Any, features: tuple[Tensor, ...], rois: Tensor
) -> Tensor:
    """What mmdet's ``SingleRoIExtractor`` gives, whatever levels are used.

    Args:
        extractor: the module.
        features: pyramid of one image.
        rois: (n, 5), image and corners.
    """
    levels = extractor.map_roi_levels(rois, len(features))
    parts, places = [], []
    for i, (feature, layer) in enumerate(
        zip(features, extractor.roi_layers, strict=True)
    ):
        place = (levels == i).nonzero()[:, 0]
        places.append(place)
        parts.append(
            _RoIAlign.apply(
                feature,
                rois[place],
                tuple(layer.output_size),
                layer.spatial_scale,
                max(layer.sampling_ratio, 0),
                layer.aligned,
            )
        )
    order = torch.cat(places).sort()[1]
    return torch.cat(parts)[order]
