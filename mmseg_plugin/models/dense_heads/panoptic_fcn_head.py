"""Panoptic FCN: one kernel for each object, applied to encoded features."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.structures import SampleList
from mmdet.utils import OptConfigType
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import (
    POOL_SIZES,
    find_regions,
    find_things,
    guided_kernels,
    normalized,
    region_kernels,
)
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNLayers,
    PanopticFCNMaps,
)
from mmseg_plugin.models.fusion.options import (
    PANOPTIC_FCN_KEYS,
    checked_test_cfg,
)
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargetGenerator,
    PanopticFCNTargets,
)
from mmseg_plugin.models.task_modules.region_classes import RegionClasses
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    Targets,
    image_names,
)
from mmseg_plugin.structures.kernels import ImageKernels, Kernels
from mmseg_plugin.structures.sampling import resize
from mmseg_plugin.utils import host
from mmseg_plugin.utils.host import to_device
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


@MODELS.register_module()
class PanopticFCNHead(PanopticFCNLayers):
    """Finds things and regions, and a kernel for each of them.

    A thing's kernel is taken at its centre, a region's is the mean over its
    pixels; the mask is the product of the embedded kernel and the encoded
    features, here :class:`MaskLogits`.

    Source: "Fully Convolutional Networks for Panoptic Segmentation" (arXiv
    2012.00720), and PanopticFCN f4141c3, panoptic_seg.py and head.py.

    Args:
        num_things_classes: Nt, which come first.
        num_stuff_classes: number of stuff classes.
        region_classes: kind of :class:`RegionClasses`.
        targets: arguments of :class:`PanopticFCNTargetGenerator`.
        num_kernels: kernels that learn each thing of a level, K.
        chunk_size: most values of dense maps that exist at a time in
            training; see :func:`map_budget`.
        loss_position: loss of centre and region maps, called like
            :class:`MapFocalLoss` or ``mmdet.FocalLoss``.
        loss_mask: its ``in_chunks`` is called like that of
            :class:`WeightedDiceLoss`.
        loss_ibs: called like :class:`IntraBatchLoss`; None for none.
        train_cfg: not used.
        test_cfg: ``center_thr`` (0.05), ``region_thr`` (0.05) and
            ``max_per_image`` (100), half of which a level may have; the
            fusion head reads the same config.
        layers: the other arguments of :class:`PanopticFCNLayers`.

    Raises:
        ValueError: ``test_cfg`` has a key that neither the fusion head nor
            this one reads.
    """

    def __init__(
        self,
        num_things_classes: int = 80,
        num_stuff_classes: int = 53,
        region_classes: str = 'stuff_and_thing',
        targets: OptConfigType = None,
        num_kernels: int = 7,
        chunk_size: int | None = None,
        loss_position: OptConfigType = None,
        loss_mask: OptConfigType = None,
        loss_ibs: OptConfigType = None,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        **layers: Any,
    ) -> None:
        regions = RegionClasses(
            region_classes, num_things_classes, num_stuff_classes
        )
        super().__init__(
            num_things=num_things_classes, num_regions=len(regions), **layers
        )
        self.region_classes = regions
        self.num_things_classes = num_things_classes
        self.num_stuff_classes = num_stuff_classes
        self.num_classes = num_things_classes + num_stuff_classes
        self.num_kernels = num_kernels
        self.chunk_size = chunk_size
        self.test_cfg = checked_test_cfg(test_cfg, PANOPTIC_FCN_KEYS)
        self.target_generator = PanopticFCNTargetGenerator(
            num_things_classes, len(regions), **(targets or {})
        )
        self._build_losses(loss_position, loss_mask, loss_ibs)

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
            ValueError: a sample has no ``gt_sem_seg``, or an instance is no
                thing.
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
            targets,
            torch.stack(regions),
            level_sizes,
            image_names(batch_data_samples),
            [tuple(s.metainfo['img_shape'][:2]) for s in batch_data_samples],
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
            [at_least_float32(level) for level in maps.things],
            [at_least_float32(level) for level in maps.regions],
            [at_least_float32(level) for level in maps.kernels],
            at_least_float32(maps.features),
        )
        pairs = max(sum(len(level.thing) for level in targets.levels), 1)
        losses = self._position_losses(maps, targets, pairs)
        masks, things, matches, weights = self._thing_masks(maps, targets)
        wanted = torch.cat([target.masks for target in things])
        losses['loss_seg_th'] = self.loss_mask.in_chunks(
            masks, matches, wanted, weights, pairs, self.chunk_size
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
        counts = targets.pair_image.bincount(minlength=batch).tolist()
        rows = self.thing_embed(torch.cat(kernels)[order]).split(counts)
        embed = pad_sequence(list(rows), batch_first=True).flatten(1, 2)
        things = [
            Targets(targets.labels[chosen], targets.masks[chosen])
            for chosen in thing.split(counts)
        ]
        numbers = torch.arange(embed.shape[1], device=thing.device).view(
            -1, self.num_kernels
        )
        matches = Matches.fixed(
            *([numbers[:count] for count in counts], 1, targets.pair_labels)
        )
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
        where = to_device(targets.shown.nonzero(), embed.device)
        image, region, level = where.unbind(1)
        repeats = tuple(map(tuple, targets.shown.sum(2).tolist()))
        return self.loss_mask.in_chunks(
            MaskLogits(embed, maps.features),
            Matches(level, image, region, region, repeats),
            targets.regions[image, region],
            embed.new_ones(len(where), 1),
            max(len(where), 1),
            self.chunk_size,
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

        Where counting them would take a synchronisation, all are there, those
        below with a score of zero.

        Args:
            maps: outputs of :meth:`forward`.
        """
        num = self.test_cfg.get('max_per_image', 100) // 2
        things, regions = [], []
        for i, level in enumerate(zip(*maps[:3], strict=True)):
            centers, stuff, kernels = map(at_least_float32, level)
            pool_size = POOL_SIZES[min(i, len(POOL_SIZES) - 1)]
            things.append(find_things(centers, kernels, pool_size, num))
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
        keep = scores > self.test_cfg.get('center_thr', 0.05)
        if host.on_host(rows):
            order, scores = order[keep], scores[keep]
        else:
            scores = scores.where(keep, 0)
        return Kernels(self.thing_embed(rows[order]), labels[order], scores)

    def _regions(self, rows: Tensor, scores: Tensor) -> Kernels:
        """Regions of one image above the threshold, level by level."""
        num = len(self.region_classes)
        labels = torch.arange(len(scores), device=scores.device) % num
        keep = scores > self.test_cfg.get('region_thr', 0.05)
        if host.on_host(rows):
            rows, labels, scores = rows[keep], labels[keep], scores[keep]
        else:
            scores = scores.where(keep, 0)
        return Kernels(self.region_embed(rows), labels, scores)
