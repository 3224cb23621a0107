"""The detector of all query heads."""

from typing import Any

from mmdet.models.detectors import MaskFormer
from mmdet.structures import SampleList
from mmengine.config import ConfigDict
from torch import Tensor

from mmseg_plugin.models.detectors.channels import fill_in_channels
from mmseg_plugin.models.layers.compiled import compile_parts
from mmseg_plugin.registry import MODELS


class PanopticDetector(MaskFormer):
    """The wiring of mmdet's ``MaskFormer``, with channels filled in.

    Args:
        backbone: config.
        neck: config, or None. ``in_channels=None`` of it, or of the head if
            there is none, is taken from the backbone.
        panoptic_head: config.
        **kwargs: of mmdet's ``MaskFormer``.
    """

    def __init__(
        self,
        backbone: ConfigDict,
        neck: ConfigDict | None = None,
        panoptic_head: ConfigDict | None = None,
        **kwargs: Any,
    ) -> None:
        neck, panoptic_head = fill_in_channels(backbone, neck, panoptic_head)
        super().__init__(backbone, neck, panoptic_head, **kwargs)


@MODELS.register_module()
class QueryDetector(PanopticDetector):
    """Backbone, a query head and :class:`QueryFusionHead`.

    mmdet's ``MaskFormer`` with boxes, where the head predicts them, and
    with semantic maps: one pass gives instances, panoptic and semantic
    results, as in the published models. Any of mmdet's MaskFormer and
    Mask2Former models may have this type.

    Args:
        *args: of mmdet's ``MaskFormer``.
        compile: True, or options of ``torch.compile``, to compile backbone,
            neck and head, not losses and results; in a config
            ``model=dict(compile=True)``.
        **kwargs: of mmdet's ``MaskFormer``.
    """

    def __init__(
        self, *args: Any, compile: bool | dict = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        parts = [self.backbone, getattr(self, 'neck', None)]
        compile_parts([*parts, self.panoptic_head], compile)

    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: SampleList,
        rescale: bool = True,
    ) -> SampleList:
        """Predicts a batch.

        Args:
            batch_inputs: images (B, 3, H, W), padded.
            batch_data_samples: with their sizes.
            rescale: results at the size of the original images.

        Returns:
            The samples with ``pred_instances``, ``pred_panoptic_seg`` and
            ``pred_sem_seg``, whichever ``test_cfg`` asks for.
        """
        x = self.extract_feat(batch_inputs)
        cls_logits, masks, *boxes = self.panoptic_head.predict(
            x, batch_data_samples
        )
        results = self.panoptic_fusion_head.predict(
            cls_logits, masks, batch_data_samples, rescale, *boxes
        )
        for sample, result in zip(batch_data_samples, results, strict=True):
            if 'sem_results' in result:
                sample.pred_sem_seg = result.pop('sem_results')
        return self.add_pred_to_datasample(batch_data_samples, results)


@MODELS.register_module()
class MaskDINO(QueryDetector):
    """The name of :class:`QueryDetector` in configs of Mask DINO."""
