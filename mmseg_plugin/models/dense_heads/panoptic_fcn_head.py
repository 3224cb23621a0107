"""Panoptic FCN: one kernel for each object, applied to encoded features."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import (
    POOL_SIZES,
    ImageKernels,
    Kernels,
    find_regions,
    find_things,
    guided_kernels,
    normalized,
    region_kernels,
)
from mmseg_plugin.models.fusion.query_maps import resize
from mmseg_plugin.models.layers.coord_conv import CoordConvStack
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargetGenerator,
    PanopticFCNTargets,
)
from mmseg_plugin.models.task_modules.region_classes import RegionClasses
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


class PanopticFCNMaps(NamedTuple):
    """Outputs of the head, for each level from high to low resolution.

    Attributes:
        things: centre logits (B, Nt, h, w).
        regions: region logits (B, R, h, w).
        kernels: (B, C, h, w).
        features: (B, D, H/4, W/4), encoded features, of no level.
    """

    things: list[Tensor]
    regions: list[Tensor]
    kernels: list[Tensor]
    features: Tensor


@MODELS.register_module()
class PanopticFCNHead(BaseModule):
    """Finds things and regions, and a kernel for each of them.

    A thing's kernel is taken at its centre, a region's is the mean over its
    pixels; the mask is the product of the embedded kernel and the encoded
    features, here :class:`MaskLogits`.

    Source: "Fully Convolutional Networks for Panoptic Segmentation" (arXiv
    2012.00720), and PanopticFCN f4141c3, panoptic_seg.py and head.py.

    Args:
        semantic_fpn: config of the neck that the features come from.
        num_things_classes: Nt, which come first.
        num_stuff_classes: number of stuff classes.
        in_channels: of the FPN levels.
        feature_channels: of the semantic FPN.
        region_classes: kind of :class:`RegionClasses`.
        position_head: arguments of :class:`CoordConvStack`.
        kernel_head: the same; its ``channels`` are those of a kernel, C.
        feature_encoder: the same; its ``channels`` are D.
        targets: arguments of :class:`PanopticFCNTargetGenerator`.
        num_kernels: kernels that learn each thing of a level, K.
        loss_position: loss of centre and region maps, called like
            ``mmdet.FocalLoss``.
        loss_mask: called like :class:`WeightedDiceLoss`.
        loss_ibs: called like :class:`IntraBatchLoss`; None for none.
        train_cfg: not used.
        test_cfg: ``center_thr`` (0.05), ``region_thr`` (0.05) and
            ``max_per_image`` (100), half of which a level may have; the
            fusion head reads the same config.
        init_cfg: see mmengine's ``BaseModule``.
    """

    def __init__(
        self,
        semantic_fpn: ConfigType,
        num_things_classes: int = 80,
        num_stuff_classes: int = 53,
        in_channels: int = 256,
        feature_channels: int = 256,
        region_classes: str = 'stuff_and_thing',
        position_head: OptConfigType = None,
        kernel_head: OptConfigType = None,
        feature_encoder: OptConfigType = None,
        targets: OptConfigType = None,
        num_kernels: int = 7,
        loss_position: OptConfigType = None,
        loss_mask: OptConfigType = None,
        loss_ibs: OptConfigType = None,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_things_classes = num_things_classes
        self.num_stuff_classes = num_stuff_classes
        self.num_classes = num_things_classes + num_stuff_classes
        self.region_classes = RegionClasses(
            region_classes, num_things_classes, num_stuff_classes
        )
        self.num_kernels = num_kernels
        self.test_cfg = test_cfg or {}
        self.target_generator = PanopticFCNTargetGenerator(
            num_things_classes, len(self.region_classes), **(targets or {})
        )
        self.semantic_fpn = MODELS.build(semantic_fpn)
        self._build_layers(
            in_channels,
            feature_channels,
            position_head,
            kernel_head,
            feature_encoder,
        )
        self._build_losses(loss_position, loss_mask, loss_ibs)

    def _build_layers(
        self,
        in_channels: int,
        feature_channels: int,
        position_head: OptConfigType,
        kernel_head: OptConfigType,
        feature_encoder: OptConfigType,
    ) -> None:
        norm = {'type': 'GN', 'num_groups': 32}
        deformed = {'type': 'DCNv2'}
        position = {
            'channels': 256,
            'conv_cfg': deformed,
            'norm_cfg': norm,
            **(position_head or {}),
        }
        kernel = {
            'channels': 256,
            'with_coord': True,
            'norm_cfg': norm,
            **(kernel_head or {}),
        }
        encoder = {
            'channels': 64,
            'with_coord': True,
            **(feature_encoder or {}),
        }
        self.position_convs = CoordConvStack(in_channels, **position)
        self.kernel_convs = CoordConvStack(in_channels, **kernel)
        self.feature_convs = CoordConvStack(feature_channels, **encoder)

        def output(channels: int, num: int) -> nn.Conv2d:
            return nn.Conv2d(channels, num, 3, padding=1)

        channels = position['channels']
        self.conv_things = output(channels, self.num_things_classes)
        self.conv_regions = output(channels, len(self.region_classes))
        channels = kernel['channels']
        self.conv_kernels = output(channels, channels)
        self.thing_embed = nn.Linear(channels, encoder['channels'])
        self.region_embed = nn.Linear(channels, encoder['channels'])

    def _build_losses(
        self,
        loss_position: OptConfigType,
        loss_mask: OptConfigType,
        loss_ibs: OptConfigType,
    ) -> None:
        if loss_position:
            self.loss_position = MODELS.build(loss_position)
        if loss_mask:
            self.loss_mask = MODELS.build(loss_mask)
        self.loss_ibs = None
        if loss_ibs:
            things = list(range(self.num_things_classes))
            self.loss_ibs = MODELS.build({'thing_classes': things, **loss_ibs})

    def init_weights(self) -> None:
        """As published: N(0, 0.01), and a score of 0.1 everywhere."""
        super().init_weights()
        for module in (
            self.conv_things,
            self.conv_regions,
            self.conv_kernels,
            self.thing_embed,
            self.region_embed,
        ):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
        for module in (self.conv_things, self.conv_regions):
            nn.init.constant_(module.bias, -2.19)

    def forward(
        self,
        x: Sequence[Tensor],
        batch_data_samples: SampleList | None = None,
    ) -> PanopticFCNMaps:
        """Maps of every level.

        Args:
            x: FPN levels of strides 4 to 128; the semantic FPN takes the
                first four, the heads all but the first.
            batch_data_samples: not used.
        """
        positions = [self.position_convs(level) for level in x[1:]]
        return PanopticFCNMaps(
            [self.conv_things(level) for level in positions],
            [self.conv_regions(level) for level in positions],
            [self.conv_kernels(self.kernel_convs(level)) for level in x[1:]],
            self.feature_convs(self.semantic_fpn(x)),
        )

    def get_targets(
        self,
        batch_data_samples: SampleList,
        level_sizes: Sequence[tuple[int, int]],
    ) -> PanopticFCNTargets:
        """Targets of a batch.

        Args:
            batch_data_samples: with ``gt_instances`` (boxes, labels and
                masks of things) and ``gt_sem_seg``.
            level_sizes: height and width of each level.

        Raises:
            ValueError: a sample has no ``gt_sem_seg``.
        """
        targets, regions = [], []
        for sample in batch_data_samples:
            if 'gt_sem_seg' not in sample:
                raise ValueError(
                    'Panoptic FCN needs gt_sem_seg, which '
                    'LoadPanopticAnnotations(with_seg=True) loads'
                )
            size = tuple(sample.metainfo['batch_input_shape'])
            targets.append(
                Targets.from_instances(sample.gt_instances, size, size)
            )
            sem_seg = sample.gt_sem_seg.sem_seg.reshape(size)
            regions.append(self.region_classes.from_labels(sem_seg))
        return self.target_generator.generate(
            targets, torch.stack(regions), level_sizes
        )

    def loss(
        self, x: Sequence[Tensor], batch_data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            x: FPN levels.
            batch_data_samples: see :meth:`get_targets`.
        """
        maps = self(x)
        sizes = [tuple(level.shape[-2:]) for level in maps.things]
        return self.loss_by_feat(
            maps, self.get_targets(batch_data_samples, sizes)
        )

    @without_autocast
    def loss_by_feat(
        self,
        maps: PanopticFCNMaps,
        targets: PanopticFCNTargets,
        partners: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            maps: outputs of :meth:`forward`.
            targets: of the same levels.
            partners: (1, B), see :class:`IntraBatchLoss`; drawn if None.

        Returns:
            ``loss_pos_th``, ``loss_pos_st`` (places of things and regions),
            ``loss_seg_th``, ``loss_seg_st`` (their masks) and ``loss_ibs``
            if there is one. Sums over things are divided by the number of
            (thing, level) pairs on this device, at least one.
        """
        maps = PanopticFCNMaps(
            *([at_least_float32(y) for y in level] for level in maps[:3]),
            at_least_float32(maps.features),
        )
        pairs = max(sum(len(level.thing) for level in targets.levels), 1)
        losses = self._position_losses(maps, targets, pairs)
        masks, things, matches, weights = self._thing_masks(maps, targets)
        wanted = torch.cat([target.masks for target in things])
        losses['loss_seg_th'] = self.loss_mask(
            masks.of(matches).view(*weights.shape, *masks.size),
            wanted,
            weights,
            pairs,
        )
        losses['loss_seg_st'] = self._region_mask_loss(maps, targets)
        if self.loss_ibs:
            losses['loss_ibs'] = self.loss_ibs(
                masks,
                things,
                matches,
                weights=weights.flatten(),
                avg_factor=pairs,
                partners=partners,
            ).sum()
        return losses

    def _position_losses(
        self, maps: PanopticFCNMaps, targets: PanopticFCNTargets, pairs: int
    ) -> dict[str, Tensor]:
        things, regions = [], []
        for level, centers, stuff in zip(
            targets.levels, maps.things, maps.regions, strict=True
        ):
            things.append(
                self.loss_position(centers, level.heatmap, avg_factor=pairs)
            )
            area = stuff.shape[2] * stuff.shape[3]
            regions.append(
                self.loss_position(
                    stuff, level.regions, avg_factor=len(stuff) * area
                )
            )
        return {'loss_pos_th': sum(things), 'loss_pos_st': sum(regions)}

    def _thing_masks(
        self, maps: PanopticFCNMaps, targets: PanopticFCNTargets
    ) -> tuple[MaskLogits, list[Targets], Matches, Tensor]:
        """Masks of K kernels for each (thing, level) pair.

        Returns:
            Mask logits; the pairs of each image as targets; which K kernels
            belong to which pair; their weights (P, K), by image.
        """
        kernels, weights = [], []
        for level, centers, pixels in zip(
            targets.levels, maps.things, maps.kernels, strict=True
        ):
            image = targets.image[level.thing]
            scores = centers[image, targets.labels[level.thing]].sigmoid()
            inside = resize(targets.masks[level.thing], pixels.shape[-2:])
            chosen = guided_kernels(
                scores, pixels, inside, image, self.num_kernels
            )
            kernels.append(chosen[0])
            weights.append(normalized(chosen[1]))
        thing = torch.cat([level.thing for level in targets.levels])
        # Things are numbered by image, so this sorts by image too.
        order = thing.argsort(stable=True)
        thing = thing[order]
        batch = len(maps.features)
        counts = targets.image[thing].bincount(minlength=batch).tolist()
        rows = self.thing_embed(torch.cat(kernels)[order]).split(counts)
        embed = pad_sequence(list(rows), batch_first=True).flatten(1, 2)
        things = [
            Targets(targets.labels[chosen], targets.masks[chosen])
            for chosen in thing.split(counts)
        ]
        numbers = torch.arange(embed.shape[1], device=thing.device).view(
            -1, self.num_kernels
        )
        matches = Matches.fixed([numbers[:count] for count in counts], 1)
        return (
            MaskLogits(embed, maps.features),
            things,
            matches,
            torch.cat(weights)[order],
        )

    def _region_mask_loss(
        self, maps: PanopticFCNMaps, targets: PanopticFCNTargets
    ) -> Tensor:
        """Mask loss of every region that a level shows."""
        filled = [level.regions > 0 for level in targets.levels]
        rows = [
            region_kernels(kernels, masks)
            for kernels, masks in zip(maps.kernels, filled, strict=True)
        ]
        embed = self.region_embed(torch.stack(rows))
        shown = torch.stack([masks.any(3).any(2) for masks in filled])
        image, region, level = shown.permute(1, 2, 0).nonzero().unbind(1)
        repeats = tuple(map(tuple, shown.sum(0).tolist()))
        masks = MaskLogits(embed, maps.features).of(
            Matches(level, image, region, region, repeats)
        )
        return self.loss_mask(
            masks[:, None],
            targets.regions[image, region],
            masks.new_ones(len(masks), 1),
            max(len(masks), 1),
        )

    def predict(
        self, x: Sequence[Tensor], batch_data_samples: SampleList
    ) -> tuple[list[ImageKernels], Tensor]:
        """Kernels of each image and the features, for the fusion head.

        Args:
            x: FPN levels.
            batch_data_samples: not used.
        """
        maps = self(x)
        return self.find_kernels(maps), at_least_float32(maps.features)

    @without_autocast
    def find_kernels(self, maps: PanopticFCNMaps) -> list[ImageKernels]:
        """Kernels of everything above the thresholds, level by level.

        Args:
            maps: outputs of :meth:`forward`.
        """
        num = self.test_cfg.get('max_per_image', 100) // 2
        things, regions = [], []
        for level, pool_size in enumerate(POOL_SIZES[: len(maps.things)]):
            kernels = at_least_float32(maps.kernels[level])
            centers = at_least_float32(maps.things[level])
            things.append(find_things(centers, kernels, pool_size, num))
            stuff = at_least_float32(maps.regions[level])
            regions.append(find_regions(stuff, kernels))
        rows, labels, scores = (
            torch.cat(part, 1) for part in zip(*things, strict=True)
        )
        stuff_rows, stuff_scores = (
            torch.cat(part, 1) for part in zip(*regions, strict=True)
        )
        return [
            ImageKernels(
                self._things(rows[i], labels[i], scores[i]),
                self._regions(stuff_rows[i], stuff_scores[i]),
            )
            for i in range(len(rows))
        ]

    def _things(self, rows: Tensor, labels: Tensor, scores: Tensor) -> Kernels:
        """Things of one image above the threshold, by falling score."""
        scores, order = scores.sort(descending=True, stable=True)
        order = order[scores > self.test_cfg.get('center_thr', 0.05)]
        return Kernels(
            self.thing_embed(rows[order]), labels[order], scores[: len(order)]
        )

    def _regions(self, rows: Tensor, scores: Tensor) -> Kernels:
        """Regions of one image above the threshold, level by level."""
        num = len(self.region_classes)
        labels = torch.arange(len(scores), device=scores.device) % num
        keep = scores > self.test_cfg.get('region_thr', 0.05)
        return Kernels(
            self.region_embed(rows[keep]), labels[keep], scores[keep]
        )
