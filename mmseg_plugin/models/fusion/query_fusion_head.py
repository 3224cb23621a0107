"""Results of query models: instances, panoptic and semantic maps."""

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmseg_plugin.models.fusion.instance import (
    InstanceRules,
    Pairs,
    box_pairs,
    instance_pairs,
)
from mmseg_plugin.models.fusion.options import checked_test_cfg
from mmseg_plugin.models.fusion.panoptic import (
    PanopticRules,
    PanopticSegments,
    check_room,
    panoptic_segments,
)
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.semantic import semantic_scores
from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import MaskLogits
from mmseg_plugin.utils.host import to_device, to_host, to_host_together
from mmseg_plugin.utils.precision import without_autocast

TEST_KEYS = {
    'panoptic_on',
    'instance_on',
    'semantic_on',
    'object_mask_thr',
    'temperature',
    'mask_softmax',
    'resize_masks',
    *PanopticRules._fields,
    *InstanceRules._fields,
}


@MODELS.register_module()
class QueryFusionHead(BaseModule):
    """Turns class and mask logits of queries into results.

    Takes the place of mmdet's ``MaskFormerFusionHead``. Surviving queries
    are chosen first; only their masks are multiplied out and resized.

    ``test_cfg`` has mmdet's keys ``panoptic_on`` (True), ``instance_on``
    (False), ``semantic_on`` (False), ``object_mask_thr`` (0.8, lowest class
    score in a panoptic result), the fields of :class:`PanopticRules`
    (``iou_thr``, ``filter_low_score``) and of :class:`InstanceRules`
    (``max_per_image``, ``score_thr``, ``mask_score``, ``drop_empty``,
    ``rle``), ``mask_thr`` and ``chunk_size`` of both, and

    - ``temperature`` (None): panoptic and semantic class scores by
      ``softmax(sigmoid / temperature)``; Mask DINO publishes 0.06;
    - ``mask_softmax`` (False) and ``resize_masks`` of
      :func:`semantic_scores`; the latter follows the published models and is
      True if another result is on.

    Args:
        num_things_classes: number of thing classes.
        num_stuff_classes: number of stuff classes.
        thing_classes: labels of the things; the first ones if None.
        use_sigmoid: class logits (Q, C) of a focal loss, in place of
            (Q, C + 1) of a softmax with no-object last.
        test_cfg: see above.
        loss_panoptic: must be None; mmdet's configs name it.
        init_cfg: see mmengine's ``BaseModule``.

    Raises:
        ValueError: ``thing_classes`` do not fit the counts, or ``test_cfg``
            has an unknown key, or there are too many classes for panoptic ids.
    """

    def __init__(
        self,
        num_things_classes: int = 80,
        num_stuff_classes: int = 53,
        thing_classes: list[int] | None = None,
        use_sigmoid: bool = False,
        test_cfg: dict | None = None,
        loss_panoptic: None = None,
        init_cfg: dict | None = None,
    ):
        super().__init__(init_cfg)
        self.num_things_classes = num_things_classes
        self.num_stuff_classes = num_stuff_classes
        self.num_classes = num_things_classes + num_stuff_classes
        things = list(
            range(num_things_classes)
            if thing_classes is None
            else thing_classes
        )
        fits = set(things) <= set(range(self.num_classes))
        if len(set(things)) != num_things_classes or not fits:
            raise ValueError(
                f'thing_classes={things} must be {num_things_classes} '
                f'different labels below {self.num_classes}'
            )
        is_thing = torch.zeros(self.num_classes, dtype=torch.bool)
        is_thing[things] = True
        self.register_buffer('is_thing', is_thing, persistent=False)
        self.use_sigmoid = use_sigmoid
        self.test_cfg = checked_test_cfg(test_cfg, TEST_KEYS)
        if self.test_cfg.get('panoptic_on', True):
            check_room(self.num_classes)

    def _rules(self, kind: type) -> InstanceRules | PanopticRules:
        given = {k: v for k, v in self.test_cfg.items() if k in kind._fields}
        return kind(**given)

    def class_scores(self, cls_logits: Tensor, sharp: bool) -> Tensor:
        """Class probabilities (..., C), without no-object.

        Args:
            cls_logits: (..., C), or (..., C + 1) without ``use_sigmoid``.
            sharp: apply ``temperature``.
        """
        if not self.use_sigmoid:
            return cls_logits.float().softmax(-1)[..., :-1]
        scores = cls_logits.float().sigmoid()
        temperature = self.test_cfg.get('temperature')
        if sharp and temperature is not None:
            return (scores / temperature).softmax(-1)
        return scores

    def instances(
        self, cls_logits: Tensor, maps: QueryMaps, boxes: Tensor | None = None
    ) -> InstanceData:
        """Instance result of one image, see :func:`instance_pairs`.

        Beside a panoptic result only things are instances.

        Args:
            cls_logits: (Q, C) or (Q, C + 1).
            maps: mask logits.
            boxes: (Q, 4), (x1, y1, x2, y2) at result size.
        """
        return self._instances(self._pairs(cls_logits, maps, boxes))

    def _pairs(
        self,
        cls_logits: Tensor,
        maps: QueryMaps | None,
        boxes: Tensor | None,
    ) -> Pairs:
        scores = self.class_scores(cls_logits, sharp=False)
        rules = self._rules(InstanceRules)
        if maps is None:
            return box_pairs(scores, boxes, rules, self.is_thing)
        things_only = self.test_cfg.get('panoptic_on', True)
        things = self.is_thing if things_only else None
        return instance_pairs(scores, maps, rules, boxes, things)

    def _to_copy(self, pairs: Pairs) -> list[Tensor]:
        return [pairs.keep, *pairs.to_copy(self.test_cfg.get('rle', False))]

    def _instances(self, pairs: Pairs) -> InstanceData:
        on_host = to_host_together(self._to_copy(pairs), 'results')
        return pairs.results(*on_host)

    def panoptic(
        self, cls_logits: Tensor, maps: QueryMaps
    ) -> PanopticSegments:
        """Panoptic result of one image, see :func:`panoptic_segments`.

        Args:
            cls_logits: (Q, C) or (Q, C + 1).
            maps: mask logits.
        """
        sure = to_host(self._sure(cls_logits), 'results')
        return self._panoptic(cls_logits, maps, sure)

    def _sure(self, cls_logits: Tensor) -> Tensor:
        """Which queries (Q,) may be segments."""
        best = self.class_scores(cls_logits, sharp=False).amax(-1)
        sure = best > self.test_cfg.get('object_mask_thr', 0.8)
        if not self.use_sigmoid:
            sure = sure & (cls_logits.argmax(-1) != self.num_classes)
        return sure

    def _panoptic(
        self, cls_logits: Tensor, maps: QueryMaps, sure: Tensor
    ) -> PanopticSegments:
        queries = to_device(sure.nonzero()[:, 0], cls_logits.device)
        scores = self.class_scores(cls_logits[queries], sharp=True)
        return panoptic_segments(
            *scores.max(-1), queries, maps, self._rules(PanopticRules)
        )

    def semantic(self, cls_logits: Tensor, maps: QueryMaps) -> Tensor:
        """Class scores (C, *out) of one image, see :func:`semantic_scores`.

        Args:
            cls_logits: (Q, C) or (Q, C + 1).
            maps: mask logits.
        """
        others = self.test_cfg.get('panoptic_on', True) or self.test_cfg.get(
            'instance_on', False
        )
        return semantic_scores(
            self.class_scores(cls_logits, sharp=True),
            maps,
            self.test_cfg.get('mask_softmax', False),
            self.test_cfg.get('resize_masks', others),
            self.test_cfg.get('chunk_size', 16),
        )

    @torch.no_grad()
    @without_autocast
    def predict(
        self,
        mask_cls_results: Tensor,
        mask_pred_results: MaskLogits | Tensor | None,
        batch_data_samples: list,
        rescale: bool = False,
        bbox_results: Tensor | None = None,
    ) -> list[dict]:
        """Results of a batch, in float32 whatever autocast says.

        One synchronisation with the device an image.

        Args:
            mask_cls_results: (B, Q, C) or (B, Q, C + 1), logits.
            mask_pred_results: mask logits over the padded input, at any
                size; maps (B, Q, h, w) or their factors. None gives boxes
                only.
            batch_data_samples: give ``batch_input_shape``, ``img_shape`` and
                ``ori_shape``, each (height, width).
            rescale: results at ``ori_shape``, else at ``img_shape``.
            bbox_results: (B, Q, 4), (cx, cy, w, h) relative to the padded
                input; boxes come from the masks if None.

        Returns:
            One dict an image, as mmdet's fusion heads give it:
            ``pan_results`` (``sem_seg`` (1, H, W), class + 1000 * instance),
            ``ins_results`` and ``sem_results`` (``sem_seg`` (1, H, W)).
        """
        results = []
        for i, sample in enumerate(batch_data_samples):
            meta = sample.metainfo
            image = tuple(meta['img_shape'][:2])
            out = tuple(meta['ori_shape'][:2]) if rescale else image
            sizes = Sizes(tuple(meta['batch_input_shape']), image, out)
            boxes = None
            if bbox_results is not None:
                boxes = sizes.corners(bbox_results[i].float())
            maps = None
            if mask_pred_results is not None:
                maps = QueryMaps(mask_pred_results, i, sizes)
            results.append(
                self._predict_single(mask_cls_results[i], maps, boxes)
            )
        return results

    def _predict_single(
        self,
        cls_logits: Tensor,
        maps: QueryMaps | None,
        boxes: Tensor | None,
    ) -> dict:
        """Results of one image, by one synchronisation."""
        if maps is None:
            found = self._instances(self._pairs(cls_logits, None, boxes))
            return {'ins_results': found}
        panoptic_on = self.test_cfg.get('panoptic_on', True)
        copied = [self._sure(cls_logits)] if panoptic_on else []
        pairs: Pairs | None = None
        if self.test_cfg.get('instance_on', False):
            pairs = self._pairs(cls_logits, maps, boxes)
            copied += self._to_copy(pairs)
        on_host = to_host_together(copied, 'results') if copied else []
        result: dict = {}
        if panoptic_on:
            segments = self._panoptic(cls_logits, maps, on_host.pop(0))
            encoded = segments.encode(self.is_thing)
            result['pan_results'] = PixelData(sem_seg=encoded[None])
        if pairs is not None:
            result['ins_results'] = pairs.results(*on_host)
        if self.test_cfg.get('semantic_on', False):
            classes = self.semantic(cls_logits, maps).argmax(0, keepdim=True)
            result['sem_results'] = PixelData(sem_seg=classes)
        return result
