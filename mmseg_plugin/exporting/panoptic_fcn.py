"""Panoptic FCN inside a graph."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_plugin.exporting.frames import Frame
from mmseg_plugin.exporting.instances import boxes_around
from mmseg_plugin.exporting.scans import masks_of
from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import (
    POOL_SIZES,
    find_regions,
    find_things,
)


class PanopticFCNResults(nn.Module):
    """A :class:`PanopticFCN` up to its results, of one image.

    Kernels that the head or the fusion head would leave out stay, with
    score zero, so that all sizes are fixed.

    Args:
        detector: with the weights.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector: Any = detector

    def forward(self, image: Tensor, frame: Frame) -> dict[str, Tensor]:
        """Results of one image.

        Args:
            image: (1, 3, H, W), as the preprocessor gives it.
            frame: sizes of the results.
        """
        head = self.detector.panoptic_head
        config = self.detector.panoptic_fusion_head.test_cfg
        maps = head(self.detector.extract_feat(image))
        features = maps.features[0].float()
        found = self._instances(*self._things(maps), features, frame)
        result: dict[str, Tensor] = {}
        if config.get('panoptic_on', True):
            regions = self._regions(maps, features, frame)
            panoptic = self._panoptic(found, regions)
            result['panoptic'] = panoptic[None]
        if config.get('instance_on', False):
            result |= {key: value[None] for key, value in found.items()}
        return result

    def _things(self, maps: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Fused kernels (n, D), labels and scores (n,), zero if left out."""
        head = self.detector.panoptic_head
        num = head.test_cfg.get('max_per_image', 100) // 2
        levels = []
        for i, (centers, kernels) in enumerate(
            zip(maps.things, maps.kernels, strict=True)
        ):
            pool_size = POOL_SIZES[min(i, len(POOL_SIZES) - 1)]
            levels.append(find_things(centers, kernels, pool_size, num))
        rows, labels, scores = (
            torch.cat(part, 1)[0] for part in zip(*levels, strict=True)
        )
        scores, order = scores.sort(descending=True)
        labels = labels[order]
        embed = head.thing_embed(rows[order]).float()
        good = scores > head.test_cfg.get('center_thr', 0.05)
        return self._fused(embed, labels, scores, good)

    def _fused(
        self, embed: Tensor, labels: Tensor, scores: Tensor, good: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See :func:`fuse_things`."""
        config = self.detector.panoptic_fusion_head.test_cfg
        unit = F.normalize(embed, dim=1)
        same = unit @ unit.T >= config.get('similarity_thr', 0.9)
        if config.get('class_specific', True):
            same = same & (labels[:, None] == labels)
        place = torch.arange(labels.shape[0])
        same = same | (place[:, None] == place)
        same = same & (place[:, None] <= place) & good[:, None] & good
        member = same & (same.long().cumsum(0) < 2)
        share = member.to(embed.dtype)
        total = share.sum(1, keepdim=True).clamp(min=1)
        first = (member & (place[:, None] == place)).any(1)
        return share @ embed / total, labels, scores.where(first, 0.0)

    def _instances(
        self,
        embed: Tensor,
        labels: Tensor,
        scores: Tensor,
        features: Tensor,
        frame: Frame,
    ) -> dict[str, Tensor]:
        """Instances by falling score, see :class:`PanopticFCNFusionHead`."""
        config = self.detector.panoptic_fusion_head.test_cfg
        threshold = config.get('mask_thr', 0.4)
        probs = (embed @ features.flatten(1)).sigmoid()
        inside = probs > threshold
        total = probs.where(inside, 0.0).sum(1)
        # As numbers of `total`: integers are of 64 bits.
        area = inside.to(total.dtype).sum(1)
        scores = scores * (total / (area + 1e-6))
        most = min(config.get('max_per_image', 100), scores.shape[0])
        scores, order = scores.topk(most)
        keep = scores >= max(config.get('score_thr', 0.05), 1e-9)
        probs = probs[order].unflatten(1, features.shape[-2:])
        masks, _, _ = masks_of(probs[None], frame, threshold)
        return {
            'scores': scores.where(keep, 0.0),
            'labels': labels[order].where(keep, -1),
            'boxes': boxes_around(masks)[0],
            'masks': masks[0],
        }

    def _regions(self, maps: Any, features: Tensor, frame: Frame) -> Tensor:
        """Probability of each region class (R, *out), zero if absent."""
        head = self.detector.panoptic_head
        num = len(head.region_classes)
        levels = [
            find_regions(stuff, kernels)
            for stuff, kernels in zip(maps.regions, maps.kernels, strict=True)
        ]
        rows, scores = (
            torch.stack(part, 0)[:, 0] for part in zip(*levels, strict=True)
        )
        # Levels (L, R): the mean over those where the class is found.
        good = scores > head.test_cfg.get('region_thr', 0.05)
        embed = head.region_embed(rows.flatten(0, 1)).float()
        embed = embed.unflatten(0, (len(levels), num))
        share = good.to(embed.dtype)[..., None]
        mean = (embed * share).sum(0) / share.sum(0).clamp(min=1)
        probs = (mean @ features.flatten(1)).sigmoid()
        probs = probs.unflatten(1, features.shape[-2:])
        full = frame.finish(probs[None])[0]
        return full * good.any(0)[:, None, None]

    def _panoptic(self, found: dict[str, Tensor], regions: Tensor) -> Tensor:
        """Encoded map, int32 (*out)."""
        fusion = self.detector.panoptic_fusion_head
        config = fusion.test_cfg
        least = config.get('instance_thr', 0.2)
        good = (found['scores'] >= least) & (found['labels'] >= 0)
        ids = _scripted_paste()(
            found['masks'],
            found['labels'],
            good,
            config.get('overlap_thr', 0.5),
            fusion.num_classes,
        )
        best, region = regions.max(0)
        free = (ids == fusion.num_classes) & (best > 0)
        names = fusion.region_classes.labels()
        index = region.where(free, len(names)).flatten()
        areas = torch.zeros(len(names) + 1, dtype=torch.long)
        areas = areas.scatter_add(0, index, torch.ones_like(index))[:-1]
        enough = areas >= max(config.get('stuff_area', 4096), 1)
        stuff = names.where((names >= 0) & enough, fusion.num_classes)
        return ids.where(~free, stuff[region]).int()


def paste(
    masks: Tensor, labels: Tensor, good: Tensor, overlap: float, void: int
) -> Tensor:
    """Pastes masks by falling score where nothing is yet.

    TorchScript keeps the loop: it ends with the last good mask.

    Args:
        masks: uint8 (n, H, W).
        labels: int64 (n,).
        good: bool (n,), the first ones.
        overlap: largest share of a mask that may be covered already.
        void: value of free pixels.

    Returns:
        int64 (H, W), class + 1000 * instance.
    """
    ids = torch.full_like(masks[0], void, dtype=torch.long)
    number = torch.zeros([1], dtype=torch.long)
    for i in range(int(good.sum())):
        mask = masks[i] > 0
        area = mask.sum()
        free = mask & (ids == void)
        covered = (area - free.sum()) / area
        fits = covered <= overlap
        number = number + fits.long()
        value = labels[i] + number * 1000
        ids = torch.where(free & fits, value, ids)
    return ids


@cache
def _scripted_paste() -> Callable[..., Tensor]:
    """:func:`paste`, when it is needed: torch warns of TorchScript's end."""
    return torch.jit.script(paste)
