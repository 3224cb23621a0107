"""RoI heads with heads of their own for the RoIs of P2'."""

import torch
from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.utils import ConfigType
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmseg_plugin.registry import MODELS
from mmseg_plugin.utils.host import to_host

from .efpn_roi_extractor import EFPNRoIExtractor

PREFIX = 'extended_'


def _run_heads(
    x: tuple[Tensor, ...],
    rois: Tensor,
    extractor: EFPNRoIExtractor,
    head: nn.Module,
    extended_head: nn.Module,
) -> tuple[Tensor, ...]:
    """Features of the RoIs, and outputs of the head in charge of each.

    Both heads run even without RoIs: each rank has the same gradients.
    """
    feats = extractor(x[: extractor.num_inputs], rois)
    # The extractor decides in the precision of the features too.
    extended = extractor.is_extended(rois.type_as(feats))
    order = (~extended).byte().argsort(stable=True)
    count = int(to_host(extended.sum(), "RoIs of P2'"))
    inside, outside = feats[order].tensor_split([count])
    outputs = [extended_head(inside), head(outside)]
    if isinstance(outputs[0], Tensor):
        outputs = [(output,) for output in outputs]
    back = order.argsort()
    return feats, *(
        torch.cat(pair)[back] for pair in zip(*outputs, strict=True)
    )


class _ExtendedHeads(BaseModule):
    """Gives a RoI head ``extended_bbox_head`` and ``extended_mask_head``.

    Each is built from the config of the head it is named after. A checkpoint
    of a detector without them fills them with the weights of those heads.
    """

    def init_bbox_head(
        self, bbox_roi_extractor: ConfigType, bbox_head: ConfigType
    ) -> None:
        super().init_bbox_head(bbox_roi_extractor, bbox_head)
        self.extended_bbox_head = self._build_heads(bbox_head)

    def init_mask_head(
        self, mask_roi_extractor: ConfigType | None, mask_head: ConfigType
    ) -> None:
        if mask_roi_extractor is None:
            raise ValueError(
                "mask_roi_extractor is None: RoIs of P2' need one, such as "
                "dict(type='mmseg_plugin.EFPNRoIExtractor', ...)"
            )
        super().init_mask_head(mask_roi_extractor, mask_head)
        self.extended_mask_head = self._build_heads(mask_head)

    def _build_heads(self, config: ConfigType) -> nn.Module:
        return MMDET_MODELS.build(config)

    @property
    def extended_heads(self) -> list[nn.Module]:
        """The heads of the RoIs of P2'."""
        return [
            child
            for name, child in self.named_children()
            if name.startswith(PREFIX)
        ]

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        start = prefix + PREFIX
        if not any(key.startswith(start) for key in state_dict):
            for key in self.state_dict(prefix=prefix):
                source = key.replace(start, prefix, 1)
                if key.startswith(start) and source in state_dict:
                    state_dict[key] = state_dict[source].clone()
        super()._load_from_state_dict(state_dict, prefix, *args)


@MODELS.register_module()
class EFPNRoIHead(_ExtendedHeads, StandardRoIHead):
    """Box and mask head of Faster and Mask R-CNN, doubled for P2'.

    Its extractors are :class:`EFPNRoIExtractor`. RoIs of P2' get their
    scores, boxes and masks from ``extended_bbox_head`` and
    ``extended_mask_head``, all others from the heads of mmdet's RoI head.
    Losses average over the RoIs of both.

    Args:
        **kwargs: of :class:`StandardRoIHead`.

    Raises:
        ValueError: a mask head without its own extractor.
    """

    def _bbox_forward(self, x: tuple[Tensor, ...], rois: Tensor) -> dict:
        feats, cls_score, bbox_pred = _run_heads(
            x,
            rois,
            self.bbox_roi_extractor,
            self.bbox_head,
            self.extended_bbox_head,
        )
        return {
            'cls_score': cls_score,
            'bbox_pred': bbox_pred,
            'bbox_feats': feats,
        }

    def _mask_forward(self, x: tuple[Tensor, ...], rois: Tensor) -> dict:
        feats, mask_preds = _run_heads(
            x,
            rois,
            self.mask_roi_extractor,
            self.mask_head,
            self.extended_mask_head,
        )
        return {'mask_preds': mask_preds, 'mask_feats': feats}


@MODELS.register_module()
class EFPNCascadeRoIHead(_ExtendedHeads, CascadeRoIHead):
    """:class:`CascadeRoIHead`, each stage doubled for P2'.

    A RoI goes to P2' by its scale at the stage. See :class:`EFPNRoIHead`.
    """

    def _build_heads(self, config: ConfigType | list[ConfigType]) -> nn.Module:
        if not isinstance(config, list):
            config = [config] * self.num_stages
        return nn.ModuleList(map(MMDET_MODELS.build, config))

    def _bbox_forward(
        self, stage: int, x: tuple[Tensor, ...], rois: Tensor
    ) -> dict:
        feats, cls_score, bbox_pred = _run_heads(
            x,
            rois,
            self.bbox_roi_extractor[stage],
            self.bbox_head[stage],
            self.extended_bbox_head[stage],
        )
        return {
            'cls_score': cls_score,
            'bbox_pred': bbox_pred,
            'bbox_feats': feats,
        }

    def _mask_forward(
        self, stage: int, x: tuple[Tensor, ...], rois: Tensor
    ) -> dict:
        _, mask_preds = _run_heads(
            x,
            rois,
            self.mask_roi_extractor[stage],
            self.mask_head[stage],
            self.extended_mask_head[stage],
        )
        return {'mask_preds': mask_preds}
