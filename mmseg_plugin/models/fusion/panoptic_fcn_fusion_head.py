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
from mmseg_plugin.models.fusion.panoptic import (
    INSTANCE_OFFSET,
    areas,
    check_room,
)
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.models.task_modules.region_classes import RegionClasses
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import boxes_of
from mmseg_plugin.structures.kernels import ImageKernels, Kernels
from mmseg_plugin.utils import host
from mmseg_plugin.utils.host import to_device, to_host_together
from mmseg_plugin.utils.precision import at_least_float32, without_autocast


class PastedSegments(NamedTuple):
    """A panoptic result, candidate by candidate.

    Attributes:
        winner: int64 (H, W), number of each pixel's candidate, counted from
            1; 0 where there is none.
        labels: int64 (n,), class of each candidate.
        kept: bool (n,), whether it is a segment; pixels of the others are
            void.
        num_things: candidates that are things, which come first.
    """

    winner: Tensor
    labels: Tensor
    kept: Tensor
    num_things: int


class Candidates(NamedTuple):
    """Things that may be instances, by falling score.

    Attributes:
        scores: (n,).
        labels: int64 (n,).
        masks: (n, h, w), probabilities at the size of the features.
        order: int64 (n,), position of each among ``masks``.
    """

    scores: Tensor
    labels: Tensor
    masks: Tensor
    order: Tensor


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
    # What has no score is none.
    same &= (scores > 0)[:, None]
    same = same.triu()
    member = same & (same.cumsum(0) < 2)
    first = member.diagonal()
    if host.on_host(embed):
        member, labels, scores = member[first], labels[first], scores[first]
    else:
        scores = scores.where(first, 0)
    share = (member & (kernels.scores > 0)).to(embed.dtype)
    mean = share @ embed / share.sum(1, keepdim=True).clamp(min=1)
    return Kernels(mean, labels, scores)


def fuse_regions(kernels: Kernels, num_regions: int) -> Kernels:
    """Averages the kernels and scores of each class, over the levels.

    Args:
        kernels: in any order.
        num_regions: classes; off the CPU there is a kernel for each, with a
            score of zero for those which are not there.
    """
    embed, labels, scores = kernels
    found = torch.arange(num_regions, device=labels.device)
    if host.on_host(embed):
        found = labels.unique()
    share = (labels == found[:, None]) & (scores > 0)
    share = share.to(embed.dtype)
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    return Kernels(share @ embed, found, share.to(scores.dtype) @ scores)


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

    def candidates(self, things: Kernels, features: Tensor) -> Candidates:
        """Things of one image with their final scores.

        Args:
            things: fused kernels.
            features: (D, h, w).
        """
        probs = _masks(things.embed, features)
        inside = probs > self.test_cfg.get('mask_thr', 0.4)
        mean = (probs * inside).sum((1, 2)) / (inside.sum((1, 2)) + 1e-6)
        scores, order = (things.scores * mean).sort(
            descending=True, stable=True
        )
        return Candidates(scores, things.labels[order], probs, order)

    def reach(self, found: Candidates, key: str, least: float) -> Tensor:
        """Which candidates reach a score, bool (n,); the first ones.

        Args:
            found: see :meth:`candidates`.
            key: of ``test_cfg``.
            least: its default.
        """
        reach = found.scores >= self.test_cfg.get(key, least)
        return reach & (found.scores > 0)

    def instances(
        self, found: Candidates, sizes: Sizes, count: int
    ) -> InstanceData:
        """Instances of one image, by falling score.

        Args:
            found: see :meth:`candidates`.
            sizes: padded, image and result size.
            count: how many of them.
        """
        count = min(count, self.test_cfg.get('max_per_image', 100))
        maps = QueryMaps(found.masks[None], 0, sizes)
        masks = torch.empty(
            (count, *sizes.out), dtype=torch.bool, device=found.masks.device
        )
        for part, chosen in zip(
            masks.split(16), found.order[:count].split(16), strict=True
        ):
            full = maps.full(chosen)
            torch.gt(full, self.test_cfg.get('mask_thr', 0.4), out=part)
        return InstanceData(
            scores=found.scores[:count],
            labels=found.labels[:count],
            bboxes=boxes_of(masks)[0],
            masks=masks,
        )

    def regions(
        self,
        stuff: Kernels,
        features: Tensor,
        sizes: Sizes,
        present: Tensor,
    ) -> Tensor:
        """Probability of each region class, (R, *out), of one image.

        Args:
            stuff: fused kernels, each class at most once.
            features: (D, h, w).
            sizes: padded, image and result size.
            present: int64 (n,), on the host, which of the kernels are there.
        """
        chosen = to_device(present, features.device)
        maps = QueryMaps(_masks(stuff.embed[chosen], features)[None], 0, sizes)
        probs = features.new_zeros(len(self.region_classes), *sizes.out)
        every = torch.arange(len(chosen), device=chosen.device)
        full = maps.full(every)
        probs[stuff.labels[chosen]] = full.to(probs.dtype)
        return probs

    def panoptic(
        self, instances: InstanceData, regions: Tensor, most: int
    ) -> PastedSegments:
        """Pastes things by score, then stuff where nothing is yet.

        Args:
            instances: of :meth:`instances`.
            regions: of :meth:`regions`.
            most: instances that are good enough, the first ones.
        """
        cfg = self.test_cfg
        masks = instances.masks[:most]
        winner = torch.zeros_like(regions[0], dtype=torch.long)
        pasted = [instances.labels.new_zeros(0, dtype=torch.bool)]
        for number, mask in enumerate(masks, 1):
            area = mask.sum()
            free = mask & (winner == 0)
            covered = (area - free.sum()) / area
            # False too for a mask without a pixel, which is no number.
            fits = covered <= cfg.get('overlap_thr', 0.5)
            winner.masked_fill_(free & fits, number)
            pasted.append(fits[None])
        best, region = regions.max(0)
        # Without any region found, nothing is the best one.
        free = (winner == 0) & (best > 0)
        found = areas(region.where(free, len(regions)), len(regions) + 1)[:-1]
        labels = to_device(self.region_classes.labels(), found.device)
        least = max(cfg.get('stuff_area', 4096), 1)
        return PastedSegments(
            (region + len(masks) + 1).where(free, winner),
            torch.cat((instances.labels[: len(masks)], labels)),
            torch.cat((*pasted, (labels >= 0) & (found >= least))),
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

        One synchronisation with the device an image.

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
        """Results of one image, by one synchronisation."""
        cfg = self.test_cfg
        panoptic_on = cfg.get('panoptic_on', True)
        things = fuse_things(
            found.things,
            cfg.get('similarity_thr', 0.9),
            cfg.get('class_specific', True),
        )
        stuff = fuse_regions(found.regions, len(self.region_classes))
        candidates = self.candidates(things, features)
        kept, good, present = to_host_together(
            [
                self.reach(candidates, 'score_thr', 0.05),
                self.reach(candidates, 'instance_thr', 0.2),
                stuff.scores > 0,
            ],
            'results',
        )
        instances = self.instances(candidates, sizes, int(kept.sum()))
        result: dict = {}
        if panoptic_on:
            regions = self.regions(
                stuff, features, sizes, present.nonzero()[:, 0]
            )
            segments = self.panoptic(instances, regions, int(good.sum()))
            result['pan_results'] = PixelData(
                sem_seg=self._encode(segments)[None]
            )
        if cfg.get('instance_on', False):
            result['ins_results'] = instances
        return result

    def _encode(self, segments: PastedSegments) -> Tensor:
        """mmdet's map: class + instance * INSTANCE_OFFSET, void is C."""
        thing = segments.kept.clone()
        thing[segments.num_things :] = False
        ids = segments.labels + thing * thing.cumsum(0) * INSTANCE_OFFSET
        ids = ids.where(segments.kept, self.num_classes)
        return F.pad(ids, (1, 0), value=self.num_classes).int()[
            segments.winner
        ]


def _masks(embed: Tensor, features: Tensor) -> Tensor:
    """Mask probabilities (n, h, w) of kernels (n, D)."""
    features = at_least_float32(features)
    logits = embed.to(features.dtype) @ features.flatten(1)
    return logits.sigmoid().unflatten(1, features.shape[1:])
