"""Two-stage detectors with an extended feature pyramid."""

import torch
from mmdet.models.detectors import TwoStageDetector
from mmdet.structures import SampleList
from mmdet.utils import ConfigType
from torch import Tensor, nn
from torch.nn import functional as F

from mmseg_plugin.models.backbones.extended_resnet import frozen_statistics
from mmseg_plugin.registry import MODELS

STAGES = ('extension', 'head', 'joint')
# Below it, the maps of the student are of another size than the teacher's.
DIVISOR = 8


def _cut_levels(
    rpn_head: nn.Module, args: tuple[tuple[Tensor, ...]]
) -> tuple[tuple[Tensor, ...]]:
    return (args[0][-rpn_head.prior_generator.num_levels :],)


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

    The RPN gets the coarsest levels, as many as its anchor generator has
    strides: without P2' as published, with P2' after a stride of 2 is added.

    Args:
        stage: what is trained.
        loss_extension: compares student and teacher; returns a dict.
        **kwargs: of :class:`TwoStageDetector`: a backbone such as
            :class:`ExtendedResNet`, the neck :class:`EFPN`, and a RoI head
            such as :class:`EFPNRoIHead`.

    Raises:
        ValueError: unknown stage, or a neck without an extension.
    """

    def __init__(
        self,
        stage: str = 'joint',
        loss_extension: ConfigType = {  # noqa: B006
            'type': 'mmseg_plugin.ForegroundBackgroundBalancedLoss'
        },
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if stage not in STAGES:
            raise ValueError(f'stage is {stage!r}, not one of {STAGES}')
        if getattr(self.neck, 'extension', None) is None:
            raise ValueError(
                'the neck has no extension: it has to be mmseg_plugin.EFPN '
                'with a variant'
            )
        self.stage = stage
        self.loss_extension = MODELS.build(loss_extension)
        self.rpn_head.register_forward_pre_hook(_cut_levels)
        if stage != 'joint':
            self.requires_grad_(False)
        trained = {
            'extension': [self.neck.extension],
            'head': self.roi_head.extended_heads,
            'joint': [],
        }
        for part in trained[stage]:
            part.requires_grad_(True)

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
        with frozen_statistics(self.backbone), frozen_statistics(self.neck):
            with torch.no_grad():
                maps = self.backbone(batch_inputs, extended=False)
                targets = self.neck.targets(maps)
            student = self.backbone(F.avg_pool2d(batch_inputs, 2))
            preds = self.neck.extend(student)
        bboxes = [sample.gt_instances.bboxes for sample in batch_data_samples]
        losses: dict[str, Tensor] = {}
        for name, stride, pred, target in zip(
            ('p3', 'p2'), (8, 4), preds, targets, strict=True
        ):
            terms = self.loss_extension(pred, target, bboxes, stride)
            losses |= {f'{name}.{key}': loss for key, loss in terms.items()}
        return losses
