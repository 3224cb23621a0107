"""Results of query models from given head outputs."""

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmseg_plugin.models.fusion import QueryFusionHead, QueryMaps, Sizes
from mmseg_plugin.models.fusion.panoptic import PanopticSegments
from tests.golden import Case, runner


def _head(config: dict, use_sigmoid: bool, **test_cfg) -> QueryFusionHead:
    mode = config['mode']
    things = config['thing_ids']
    return QueryFusionHead(
        num_things_classes=len(things),
        num_stuff_classes=config['num_classes'] - len(things),
        thing_classes=things,
        use_sigmoid=use_sigmoid,
        test_cfg=dict(
            panoptic_on=mode == 'panoptic',
            instance_on=mode in ('panoptic', 'instance'),
            semantic_on=True,
            max_per_image=config['test_topk_per_image'],
            object_mask_thr=config['object_mask_threshold'],
            iou_thr=config['overlap_threshold'],
            drop_empty=False,
            **test_cfg,
        ),
    )


def _numbered(
    segments: PanopticSegments, is_thing: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Published form: segments from 1 by query, stuff under its first one."""
    rows: list[tuple[int, int, int]] = []
    ids = segments.winner.new_zeros(len(segments.labels) + 1, dtype=torch.long)
    stuff: dict[int, int] = {}
    for query in segments.kept.nonzero()[:, 0].tolist():
        label = int(segments.labels[query])
        if label not in stuff:
            rows.append((len(rows) + 1, label, int(is_thing[label])))
            if not is_thing[label]:
                stuff[label] = len(rows)
        ids[query] = stuff.get(label, len(rows))
    return ids[segments.winner].cpu().numpy(), np.array(rows).reshape(-1, 3)


def _instances(found: InstanceData) -> dict:
    order = np.lexsort((found.labels.cpu(), -found.scores.cpu().numpy()))
    return {
        'inst_scores': found.scores[order],
        'inst_classes': found.labels[order],
        'inst_masks': found.masks[order],
        'inst_boxes': found.bboxes[order],
    }


def _results(case: Case, head: QueryFusionHead) -> dict:
    head.to(case.device)
    logits, masks = case.tensor('in/pred_logits'), case.tensor('in/pred_masks')
    results = {}
    for i, (image, out) in enumerate(
        zip(case['in/image_sizes'], case['in/out_sizes'], strict=True)
    ):
        sizes = Sizes(
            tuple(case.config['padded']),
            tuple(image.tolist()),
            tuple(out.tolist()),
        )
        maps = QueryMaps(masks, i, sizes)
        got = {}
        if f'out/{i}/sem_seg' in case:
            got['sem_seg'] = head.semantic(logits[i], maps)
        if f'out/{i}/panoptic_seg' in case:
            segments = head.panoptic(logits[i], maps)
            got['panoptic_seg'], got['segments'] = _numbered(
                segments, head.is_thing
            )
        if f'out/{i}/inst_scores' in case:
            boxes = None
            if 'in/pred_boxes' in case:
                boxes = sizes.corners(case.tensor('in/pred_boxes')[i])
            got |= _instances(head.instances(logits[i], maps, boxes))
        results |= {f'out/{i}/{key}': value for key, value in got.items()}
    return results


NO_BOXES = {'out/*/inst_boxes': 'published boxes are zeros, ours are tight'}


@runner('postprocess_m2f', skip=NO_BOXES)
def run_mask2former(case: Case) -> dict:
    head = _head(case.config, use_sigmoid=False, filter_low_score=True)
    return _results(case, head)


@runner('postprocess_mf', skip=NO_BOXES)
def run_maskformer(case: Case) -> dict:
    head = _head(case.config, use_sigmoid=False, filter_low_score=False)
    return _results(case, head)


@runner('postprocess_maskdino')
def run_mask_dino(case: Case) -> dict:
    config = case.config
    head = _head(
        config,
        use_sigmoid=not config['semantic_ce_loss'],
        filter_low_score=True,
        mask_score=not config['focus_on_box'],
        temperature=config['pano_temp'] if config['transform_eval'] else None,
    )
    return _results(case, head)
