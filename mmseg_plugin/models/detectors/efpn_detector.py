"""Two-stage detectors with an extended feature pyramid."""

import torch
from mmdet.models.backbones import ResNet, ResNeXt
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.models.roi_heads.roi_extractors import (
    BaseRoIExtractor,
    SingleRoIExtractor,
)
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType
from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from mmseg_plugin.models.backbones.extended_resnet import (
    ExtendedResNet,
    ExtendedResNeXt,
)
from mmseg_plugin.models.detectors.mask_rcnn import (
    keep_operators_in_float32,
)
from mmseg_plugin.models.layers.module_views import frozen_statistics
from mmseg_plugin.models.roi_heads import (
    EFPNCascadeRoIHead,
    EFPNRoIExtractor,
    EFPNRoIHead,
)
from mmseg_plugin.models.task_modules.chunked_iou_assigner import (
    compare_in_chunks,
)
from mmseg_plugin.registry import MODELS

# Parts of an ordinary detector, and what takes their place.
EXTENDED = {
    ResNet: ExtendedResNet,
    ResNeXt: ExtendedResNeXt,
    StandardRoIHead: EFPNRoIHead,
    CascadeRoIHead: EFPNCascadeRoIHead,
    SingleRoIExtractor: EFPNRoIExtractor,
}
STAGES = ('extension', 'head', 'joint')
# Below it, the maps of the student are of another size than the teacher's.
DIVISOR = 8


def _cut_levels(
    rpn_head: nn.Module, args: tuple[tuple[Tensor, ...]]
) -> tuple[tuple[Tensor, ...]]:
    return (args[0][-rpn_head.prior_generator.num_levels :],)


def _extended(config: ConfigType) -> ConfigDict:
    """The same part with P2'; one that is not in the table as it is."""
    kind = config['type']
    part = MMDET_MODELS.get(kind) if isinstance(kind, str) else kind
    extended = ConfigDict(config, type=EXTENDED.get(part, kind))
    if part is SingleRoIExtractor:
        strides = config['featmap_strides']
        extended.featmap_strides = [strides[0] // 2, *strides]
    return extended


def _extended_roi_head(config: ConfigType) -> ConfigDict:
    extended = _extended(config)
    for key in ('bbox_roi_extractor', 'mask_roi_extractor'):
        extractor = config.get(key)
        if isinstance(extractor, list):
            extended[key] = [_extended(stage) for stage in extractor]
        elif extractor is not None:
            extended[key] = _extended(extractor)
    return extended


@MODELS.register_module()
class EFPNDetector(TwoStageDetector):
    """Faster, Mask or Cascade R-CNN on an extended feature pyramid.

    "Extended Feature Pyramid Network for Small Object Detection" (Deng et
    al.): P2' of an image learns to look like P2 of the same image at twice
    the size. The teacher is the detector itself on the image as loaded, the
    student is the detector on the average of each 2x2 pixels.

    The stages of training, each from the checkpoint of the one before, the
    first from that of the same detector with an FPN:

    - ``'extension'``: all but the extension of the neck is frozen, student
      and teacher are compared, nothing is detected;
    - ``'head'``: all but the heads of P2' is frozen, ordinary detection on
      the image as loaded;
    - ``'joint'``: all of it at once. Nothing is frozen here, and the
      comparison does not train the teacher.

    The configs of backbone and RoI head may be those of the detector with an
    FPN: :class:`ResNet`, :class:`ResNeXt`, :class:`StandardRoIHead`,
    :class:`CascadeRoIHead` and :class:`SingleRoIExtractor` are replaced by
    :class:`ExtendedResNet` and so on.

    The RPN gets the coarsest levels, as many as its anchor generator has
    strides: without P2' as published, with P2' after a stride of 2 is added.

    Args:
        backbone: :class:`ExtendedResNet`, or what it replaces.
        roi_head: :class:`EFPNRoIHead` or :class:`EFPNCascadeRoIHead`, or what
            they replace.
        stage: what is trained.
        loss_extension: compares student and teacher; returns a dict.
        **kwargs: of :class:`TwoStageDetector`; the neck is :class:`EFPN`.

    Raises:
        ValueError: unknown stage; a backbone, neck or RoI head without P2'.
    """

    def __init__(
        self,
        *,
        backbone: ConfigType,
        roi_head: ConfigType,
        stage: str = 'joint',
        loss_extension: ConfigType = {  # noqa: B006
            'type': 'mmseg_plugin.ForegroundBackgroundBalancedLoss'
        },
        **kwargs,
    ) -> None:
        super().__init__(
            backbone=_extended(backbone),
            roi_head=_extended_roi_head(roi_head),
            **kwargs,
        )
        if stage not in STAGES:
            raise ValueError(f'stage is {stage!r}, not one of {STAGES}')
        self._check_parts()
        self.stage = stage
        self.loss_extension = MODELS.build(loss_extension)
        self.rpn_head.register_forward_pre_hook(_cut_levels)
        keep_operators_in_float32(self)
        compare_in_chunks(self)
        if stage != 'joint':
            self.requires_grad_(False)
        trained = {
            'extension': [self.neck.extension],
            'head': self.roi_head.extended_heads,
            'joint': [],
        }
        for part in trained[stage]:
            part.requires_grad_(True)

    def _check_parts(self) -> None:
        if not isinstance(self.backbone, ExtendedResNet):
            raise ValueError(
                "model.backbone gives no C2': its type has to be "
                'mmdet.ResNet or mmdet.ResNeXt, not '
                f'{type(self.backbone).__name__}'
            )
        neck = getattr(self, 'neck', None)
        if getattr(neck, 'extension', None) is None:
            raise ValueError(
                'model.neck has no extension: its type has to be '
                'mmseg_plugin.EFPN, its variant not None'
            )
        if not isinstance(self.roi_head, (EFPNRoIHead, EFPNCascadeRoIHead)):
            raise ValueError(
                "model.roi_head has no heads for P2': its type has to be "
                'mmdet.StandardRoIHead or mmdet.CascadeRoIHead, not '
                f'{type(self.roi_head).__name__}'
            )
        for part in self.roi_head.modules():
            if isinstance(part, BaseRoIExtractor) and not isinstance(
                part, EFPNRoIExtractor
            ):
                raise ValueError(
                    "model.roi_head has an extractor without P2': its type "
                    'has to be mmdet.SingleRoIExtractor, not '
                    f'{type(part).__name__}'
                )

    def train(self, mode: bool = True) -> 'EFPNDetector':
        """Switches the mode, of frozen norms always to evaluation."""
        super().train(mode)
        if self.stage != 'joint':
            for module in self.modules():
                own = list(module.parameters(recurse=False))
                if own and not any(p.requires_grad for p in own):
                    module.eval()
        return self

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Losses of the stage.

        Args:
            batch_inputs: images, shape (B, 3, H, W).
            batch_data_samples: of each image.

        Returns:
            Those of the detector unless the stage is ``'extension'``; those
            of :meth:`extension_loss` unless it is ``'head'``.
        """
        losses: dict[str, Tensor] = {}
        if self.stage != 'extension':
            losses |= super().loss(batch_inputs, batch_data_samples)
        if self.stage != 'head':
            losses |= self.extension_loss(batch_inputs, batch_data_samples)
        return losses

    def extension_loss(
        self, batch_inputs: Tensor, batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Compares P3' with P3, and P2' with P2, of twice the size.

        Args:
            batch_inputs: images of the teacher, shape (B, 3, H, W).
            batch_data_samples: have ``gt_instances.bboxes`` in pixels of the
                teacher.

        Returns:
            ``p3.loss_global``, ``p3.loss_positive``, ``p2.loss_global`` and
            ``p2.loss_positive``.

        Raises:
            ValueError: sides of the images are not divisible by 8.
        """
        size = batch_inputs.shape[-2:]
        if any(side % DIVISOR for side in size):
            raise ValueError(
                f'images of {tuple(size)} cannot be halved: set '
                f'data_preprocessor.pad_size_divisor to a multiple of '
                f'{DIVISOR}'
            )
        # Half-size images must not leave their mark on running statistics.
        backbone = frozen_statistics(self.backbone)
        neck = frozen_statistics(self.neck)
        with torch.no_grad():
            targets = neck.targets(backbone(batch_inputs, extended=False))
        student = backbone(F.avg_pool2d(batch_inputs, 2))
        preds = neck.extend(student)
        bboxes = [sample.gt_instances.bboxes for sample in batch_data_samples]
        losses: dict[str, Tensor] = {}
        for name, stride, pred, target in zip(
            ('p3', 'p2'), (8, 4), preds, targets, strict=True
        ):
            terms = self.loss_extension(pred, target, bboxes, stride)
            losses |= {f'{name}.{key}': loss for key, loss in terms.items()}
        return losses
