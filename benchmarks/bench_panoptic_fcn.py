"""Losses of Panoptic FCN, against the form of the official code."""

import torch
from harness import Arms, bench
from mask_path import ellipses
from mmengine.config import Config
from model_pairs import CONFIGS
from peers.published_panoptic_fcn import pooled_products, published_losses
from torch import Tensor

from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import region_kernels
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargets,
)
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import Targets, boxes_of, normalized_boxes

CONFIG = 'panoptic-fcn_r50_fpn_8xb2-3x_coco.py'
IMAGES, HEIGHT, WIDTH = 2, 800, 1216
STRIDES = (8, 16, 32, 64, 128)
THINGS, REGIONS = 10, 20


class Inputs:
    """A head of the COCO model, its outputs and their targets.

    Features are smooth, so that masks are blobs; ``leaves`` are what
    gradients are taken of.
    """

    def __init__(self) -> None:
        torch.manual_seed(0)
        config = Config.fromfile(CONFIGS.with_name('panoptic_fcn') / CONFIG)
        self.head: PanopticFCNHead = MODELS.build(config.model.panoptic_head)
        sizes = [(-(-HEIGHT // s), -(-WIDTH // s)) for s in STRIDES]
        things, regions = 80, len(self.head.region_classes)

        def levels(channels: int, shift: float) -> list[Tensor]:
            return [
                torch.randn(IMAGES, channels, *size)
                .add(shift)
                .requires_grad_()
                for size in sizes
            ]

        features = torch.randn(IMAGES, 64, HEIGHT // 4, WIDTH // 4)
        self.maps = PanopticFCNMaps(
            levels(things, -2.0),
            levels(regions, -2.0),
            levels(256, 0.0),
            features.requires_grad_(),
        )
        self.leaves = [leaf for level in self.maps[:3] for leaf in level]
        self.leaves += [features, *self.head.thing_embed.parameters()]
        self.leaves += self.head.region_embed.parameters()
        self.targets = self._targets(sizes)

    def _targets(self, sizes: list[tuple[int, int]]) -> PanopticFCNTargets:
        size = (HEIGHT, WIDTH)
        targets = []
        for _ in range(IMAGES):
            masks = ellipses(THINGS, WIDTH)[:, :HEIGHT]
            masks = masks[masks.flatten(1).any(1)]
            boxes = normalized_boxes(boxes_of(masks)[0], size)
            labels = torch.randint(80, (len(masks),))
            targets.append(Targets(labels, masks, boxes))
        # Vertical stripes, one for each region.
        columns = torch.arange(WIDTH) * REGIONS // WIDTH
        regions = columns.expand(IMAGES, HEIGHT, -1)
        return self.head.target_generator.generate(targets, regions, sizes)

    def gradients(self, losses: dict[str, Tensor]) -> tuple[Tensor, ...]:
        total = torch.stack([*losses.values()]).sum()
        return torch.autograd.grad(total, self.leaves)


def losses(checked: bool) -> Arms:
    inputs = Inputs()
    arguments = inputs.maps, inputs.targets
    if checked:
        ours = inputs.head.loss_by_feat(*arguments)
        peer = published_losses(inputs.head, *arguments)
        torch.testing.assert_close(ours, peer, rtol=1e-4, atol=1e-6)
        for mine, other in zip(
            inputs.gradients(ours), inputs.gradients(peer), strict=True
        ):
            atol = 1e-4 * other.abs().max().item()
            torch.testing.assert_close(mine, other, rtol=1e-3, atol=atol)
    return Arms(
        lambda: inputs.gradients(inputs.head.loss_by_feat(*arguments)),
        lambda: inputs.gradients(published_losses(inputs.head, *arguments)),
    )


@bench('panoptic_fcn_losses', 'official form', 5)
def speed() -> Arms:
    return losses(checked=True)


@bench('panoptic_fcn_losses_memory', 'official form', 2, unit='MB')
def memory() -> Arms:
    # That both agree is asserted where they are timed.
    return losses(checked=False)


@bench('panoptic_fcn_stuff_pooling', 'official form', 10)
def stuff_pooling() -> Arms:
    torch.manual_seed(0)
    kernels = torch.randn(IMAGES, 256, HEIGHT // 8, WIDTH // 8)
    masks = torch.rand(IMAGES, REGIONS, *kernels.shape[2:]) < 0.1
    torch.testing.assert_close(
        region_kernels(kernels, masks), pooled_products(kernels, masks.float())
    )
    return Arms(
        lambda: region_kernels(kernels, masks),
        lambda: pooled_products(kernels, masks.float()),
    )
