"""Results of Panoptic FCN: kernels fused, masks pasted by score."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.structures import SampleList
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModule
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmseg_plugin.models.fusion.options import (
    PANOPTIC_FCN_KEYS,
    checked_test_cfg,
)
from mmseg_plugin.models.fusion.panoptic import INSTANCE_OFFSET, check_room
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.models.task_modules.region_classes import RegionClasses
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import boxes_of
from mmseg_plugin.structures.kernels import ImageKernels, Kernels
from mmseg_plugin.utils.host import to_device, to_host
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


class PastedSegments(NamedTuple):
    """A panoptic result, segment by segment.

    Attributes:
        winner: int64 (H, W), number of each pixel's segment, counted from 1;
            0 where there is none.
        labels: int64 (n,), class of each segment.
        instance: int64 (n,), number of the segment's instance; -1 for stuff.
    """

    winner: Tensor
    labels: Tensor
    instance: Tensor


def fuse_things(
    kernels: Kernels, similarity: float, class_specific: bool = True
) -> Kernels:
    """Averages kernels of the same thing (Panoptic FCN, section 3.4).

    A kernel joins the first, best, one that it is similar to; one that
    joined another does not found a group, and who joins it is lost with it.

    Args:
        kernels: by falling score.
        similarity: cosine from which two kernels are the same thing.
        class_specific: only kernels of one class can be the same.
    """
    embed, labels, scores = kernels
    unit = F.normalize(embed, dim=1)
    same = unit @ unit.T >= similarity
    if class_specific:
        same &= labels[:, None] == labels
    same.fill_diagonal_(True)
    same = same.triu()
    member = same & (same.cumsum(0) < 2)
    first = member.diagonal()
    share = member[first].to(embed.dtype)
    mean = share @ embed / share.sum(1, keepdim=True)
    return Kernels(mean, labels[first], scores[first])


def fuse_regions(kernels: Kernels) -> Kernels:
    """Averages the kernels and scores of each class, over the levels."""
    embed, labels, scores = kernels
    present, group = labels.unique(return_inverse=True)
    share = group == torch.arange(len(present)).to(group)[:, None]
    share = share.to(embed.dtype)
    share = share / share.sum(1, keepdim=True)
    return Kernels(share @ embed, present, share.to(scores.dtype) @ scores)


@MODELS.register_module()
class PanopticFCNFusionHead(BaseModule):
    """Turns kernels and features into instances and panoptic maps.

    ``test_cfg`` has mmdet's keys ``panoptic_on`` (True) and ``instance_on``
    (False), and, with the published values as defaults,

    - ``similarity_thr`` (0.9) and ``class_specific`` (True) of
      :func:`fuse_things`;
    - ``mask_thr`` (0.4), probability from which a pixel is a thing's;
    - ``score_thr`` (0.05), lowest score of an instance, which is the
      centre's score times the mean probability inside the mask;
    - ``max_per_image`` (100) instances;
    - ``instance_thr`` (0.2), lowest score in a panoptic result;
    - ``overlap_thr`` (0.5), share of a thing that may be covered by better
      ones before it is left out;
    - ``stuff_area`` (4096), least pixels of a stuff segment.

    Args:
        num_things_classes: number of thing classes, which come first.
        num_stuff_classes: number of stuff classes.
        region_classes: kind of :class:`RegionClasses`, the head's.
        test_cfg: see above.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: ``test_cfg`` has a key that neither the head nor this one
            reads, or there are too many classes for panoptic ids.
    """

    def __init__(
        self,
        num_things_classes: int = 80,
        num_stuff_classes: int = 53,
        region_classes: str = 'stuff_and_thing',
        test_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.num_classes = num_things_classes + num_stuff_classes
        self.region_classes = RegionClasses(
            region_classes, num_things_classes, num_stuff_classes
        )
        self.test_cfg = checked_test_cfg(test_cfg, PANOPTIC_FCN_KEYS)
        if self.test_cfg.get('panoptic_on', True):
            check_room(self.num_classes)

    def instances(
        self, things: Kernels, features: Tensor, sizes: Sizes
    ) -> InstanceData:
        """Instances of one image, by falling score.

        Args:
            things: fused kernels.
            features: (D, h, w).
            sizes: padded, image and result size.
        """
        cfg = self.test_cfg
        threshold = cfg.get('mask_thr', 0.4)
        probs = _masks(things.embed, features)
        inside = probs > threshold
        mean = (probs * inside).sum((1, 2)) / (inside.sum((1, 2)) + 1e-6)
        scores, order = (things.scores * mean).sort(
            descending=True, stable=True
        )
        order = order[scores >= cfg.get('score_thr', 0.05)]
        order = order[: cfg.get('max_per_image', 100)]
        maps = QueryMaps(probs[None], 0, sizes)
        chunks = [maps.full(chunk) > threshold for chunk in order.split(16)]
        masks = torch.cat(chunks) if len(order) else maps.full(order).bool()
        return InstanceData(
            scores=scores[: len(order)],
            labels=things.labels[order],
            bboxes=boxes_of(masks)[0],
            masks=masks,
        )

    def regions(
        self, stuff: Kernels, features: Tensor, sizes: Sizes
    ) -> Tensor:
        """Probability of each region class, (R, *out), of one image.

        Args:
            stuff: fused kernels, each class at most once.
            features: (D, h, w).
            sizes: padded, image and result size.
        """
        maps = QueryMaps(_masks(stuff.embed, features)[None], 0, sizes)
        probs = features.new_zeros(len(self.region_classes), *sizes.out)
        full = maps.full(torch.arange(len(stuff.labels)))
        probs[stuff.labels] = full.to(probs.dtype)
        return probs

    def panoptic(
        self, instances: InstanceData, regions: Tensor
    ) -> PastedSegments:
        """Pastes things by score, then stuff where nothing is yet.

        Args:
            instances: of :meth:`instances`.
            regions: of :meth:`regions`.
        """
        cfg = self.test_cfg
        masks, scores = instances.masks, instances.scores
        good = scores >= cfg.get('instance_thr', 0.2)
        masks = masks[: _most(good)]
        winner = torch.zeros_like(regions[0], dtype=torch.long)
        pasted = []
        pairs = zip(masks, good, strict=False)
        for number, (mask, fits) in enumerate(pairs, 1):
            area = mask.sum()
            free = mask & (winner == 0)
            covered = (area - free.sum()) / area
            # False too for a mask without a pixel, which is no number.
            fits = fits & (covered <= cfg.get('overlap_thr', 0.5))
            winner.masked_fill_(free & fits, number)
            pasted.append(fits)
        things = torch.stack(pasted) if pasted else good[:0]
        best, region = regions.max(0)
        # Without any region found, nothing is the best one.
        free = (winner == 0) & (best > 0)
        index = region.where(free, len(regions)).flatten()
        areas = index.new_zeros(len(regions) + 1)
        areas = areas.scatter_add_(0, index, torch.ones_like(index))[:-1]
        labels = to_device(self.region_classes.labels(), areas.device)
        least = max(cfg.get('stuff_area', 4096), 1)
        stuff = (labels >= 0) & (areas >= least)
        winner = (region + len(masks) + 1).where(free, winner)
        return _numbered(
            winner,
            torch.cat((things, stuff)),
            torch.cat((instances.labels[: len(masks)], labels)),
            len(masks),
        )

    @torch.no_grad()
    @without_autocast
    def predict(
        self,
        kernels: list[ImageKernels],
        features: Tensor,
        batch_data_samples: SampleList,
        rescale: bool = False,
    ) -> list[dict]:
        """Results of a batch, in float32 whatever autocast says.

        Args:
            kernels: of each image.
            features: (B, D, h, w), encoded features.
            batch_data_samples: give ``batch_input_shape``, ``img_shape`` and
                ``ori_shape``, each (height, width).
            rescale: results at ``ori_shape``, else at ``img_shape``.

        Returns:
            One dict an image, as mmdet's fusion heads give it:
            ``pan_results`` (``sem_seg`` (1, H, W), class + 1000 * instance)
            and ``ins_results``.
        """
        results = []
        for found, pixels, sample in zip(
            kernels, features, batch_data_samples, strict=True
        ):
            meta = sample.metainfo
            image = tuple(meta['img_shape'][:2])
            out = tuple(meta['ori_shape'][:2]) if rescale else image
            sizes = Sizes(tuple(meta['batch_input_shape']), image, out)
            results.append(self._predict_single(found, pixels, sizes))
        return results

    def _predict_single(
        self, found: ImageKernels, features: Tensor, sizes: Sizes
    ) -> dict:
        cfg = self.test_cfg
        things = fuse_things(
            found.things,
            cfg.get('similarity_thr', 0.9),
            cfg.get('class_specific', True),
        )
        instances = self.instances(things, features, sizes)
        result: dict = {}
        if cfg.get('panoptic_on', True):
            regions = self.regions(
                fuse_regions(found.regions), features, sizes
            )
            segments = self.panoptic(instances, regions)
            result['pan_results'] = PixelData(
                sem_seg=self._encode(segments)[None]
            )
        if cfg.get('instance_on', False):
            result['ins_results'] = instances
        return result

    def _encode(self, segments: PastedSegments) -> Tensor:
        """mmdet's map: class + instance * INSTANCE_OFFSET, void is C."""
        thing = segments.instance >= 0
        ids = segments.labels + thing * thing.cumsum(0) * INSTANCE_OFFSET
        return F.pad(ids, (1, 0), value=self.num_classes).int()[
            segments.winner
        ]


def _most(good: Tensor) -> int:
    """How many instances, by falling score, may be segments.

    Where counting them would take a synchronisation, all of them.
    """
    return int(good.sum()) if good.is_cpu else len(good)


def _numbered(
    winner: Tensor, kept: Tensor, labels: Tensor, num_things: int
) -> PastedSegments:
    """Renumbers the kept segments, without gaps.

    Args:
        winner: (H, W), number of each pixel's candidate from 1; 0 for none.
        kept: bool (n,), which candidates are segments.
        labels: (n,), classes of the candidates.
        num_things: candidates that are things, which come first.
    """
    number = kept.cumsum(0) * kept
    winner = torch.cat((number.new_zeros(1), number))[winner]
    chosen = to_host(kept, 'segments').nonzero()[:, 0]
    instance = chosen.masked_fill(chosen >= num_things, -1)
    chosen = to_device(chosen, labels.device)
    return PastedSegments(
        winner, labels[chosen], to_device(instance, labels.device)
    )


def _masks(embed: Tensor, features: Tensor) -> Tensor:
    """Mask probabilities (n, h, w) of kernels (n, D)."""
    features = at_least_float32(features)
    logits = embed.to(features.dtype) @ features.flatten(1)
    return logits.sigmoid().unflatten(1, features.shape[1:])
