"""Panoptic FCN: kernels fused, results, learning rates."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.structures import InstanceData

from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import Kernels
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.fusion import PanopticFCNFusionHead
from mmseg_plugin.models.fusion.panoptic_fcn_fusion_head import (
    PastedSegments,
    fuse_regions,
    fuse_things,
)
from mmseg_plugin.models.fusion.query_maps import Sizes
from tests.golden import Case, runner
from tests.golden.panoptic_fcn_case import case_maps, official_head

SCHEDULE = (
    Path(__file__).parents[2] / 'configs/_base_/schedules/panoptic_fcn.py'
)


@runner('pfcn_kernel_fusion')
def run_kernel_fusion(case: Case) -> dict:
    got = {}
    for kind in ('thing', 'stuff'):
        data = case.group(f'in/{kind}_')
        kernels = Kernels(data['kernels'][0], data['class'], data['score'])
        if kind == 'thing':
            fused = fuse_things(kernels, similarity=0.9)
        else:
            fused = fuse_regions(kernels)
        got |= _named(f'out/{kind}', '', fused)
    return got


def _named(prefix: str, suffix: str, kernels: Kernels) -> dict:
    return {
        f'{prefix}_{name}{suffix}': value
        for name, value in zip(
            ('kernels', 'class', 'score'), kernels, strict=True
        )
    }


@runner('pfcn_inference')
def run_inference(case: Case) -> dict:
    config = case.config
    head = official_head(case)
    test_cfg = {
        'max_per_image': config['MODEL.POSITION_HEAD.THING.TOP_NUM'],
        'stuff_area': config['MODEL.INFERENCE.COMBINE.STUFF_AREA_LIMIT'],
    }
    head.test_cfg = test_cfg
    fusion = PanopticFCNFusionHead(
        head.num_things_classes,
        head.num_stuff_classes,
        'stuff_and_thing' if head.region_classes.one_for_things else 'stuff',
        test_cfg,
    )
    sizes = Sizes(
        tuple(case.entry['padded_shape']),
        tuple(case['in/img_shape'].tolist()),
        tuple(case['in/ori_shape'].tolist()),
    )
    maps = case_maps(case)
    with torch.no_grad():
        found = head.find_kernels(maps)[0]
        features = maps.features[0]
        things = fuse_things(found.things, similarity=0.9)
        stuff = fuse_regions(found.regions)
        instances = fusion.instances(things, features, sizes)
        regions = fusion.regions(stuff, features, sizes)
        got = _level_candidates(head, maps)
    # Where things have no region, official labels still start with theirs.
    shift = int(not head.region_classes.one_for_things)
    for kind, before, fused in (
        ('thing', found.things, things),
        ('stuff', found.regions, stuff),
    ):
        pixels = features.flatten(1)
        logits = (fused.embed @ pixels).unflatten(1, features.shape[1:])
        got[f'out/{kind}_logits'] = logits[None]
        if kind == 'stuff':
            before = before._replace(labels=before.labels + shift)
            fused = fused._replace(labels=fused.labels + shift)
        before = before._replace(embed=before.embed[None])
        got |= _named(f'out/{kind}', '_before', before)
        got |= _named(f'out/{kind}', '_fused', fused)
    sem_seg = torch.cat((torch.zeros_like(regions[:shift]), regions))
    got |= {
        'out/n_instances': len(instances),
        'out/inst_masks': instances.masks,
        'out/inst_boxes': instances.bboxes,
        'out/inst_classes': instances.labels,
        'out/inst_scores': instances.scores,
        'out/sem_seg': sem_seg,
        'out/stuff_label_map': sem_seg.argmax(0),
    }
    return got | _segments(
        head, fusion.panoptic(instances, regions), instances
    )


def _level_candidates(head: PanopticFCNHead, maps: PanopticFCNMaps) -> dict:
    """What is found on each level, when nothing is on the others."""
    got = {}
    shift = int(not head.region_classes.one_for_things)
    for i in range(len(maps.things)):
        alone = [
            [
                level if j == i else torch.full_like(level, -100)
                for j, level in enumerate(levels)
            ]
            for levels in maps[:2]
        ]
        found = head.find_kernels(
            maps._replace(things=alone[0], regions=alone[1])
        )
        things, stuff = found[0]
        got |= _named(f'out/level{i}_thing', '', things)
        stuff = stuff._replace(labels=stuff.labels + shift)
        got |= _named(f'out/level{i}_stuff', '', stuff)
    return got


def _segments(
    head: PanopticFCNHead, pasted: PastedSegments, instances: InstanceData
) -> dict:
    """Official rows: id, is thing, category, instance, area."""
    rows, scores = [], []
    for index, (label, number) in enumerate(
        zip(pasted.labels.tolist(), pasted.instance.tolist(), strict=True)
    ):
        thing = number >= 0
        area = -1 if thing else int((pasted.winner == index + 1).sum())
        category = label if thing else label - head.num_things_classes + 1
        rows.append([index + 1, thing, category, number, area])
        scores.append(float(instances.scores[number]) if thing else -1.0)
    return {
        'out/panoptic_seg': pasted.winner,
        'out/segments': rows,
        'out/segment_scores': scores,
    }


@runner('pfcn_lr')
def run_learning_rates(case: Case) -> dict:
    config = case.config
    warmup, poly = Config.fromfile(SCHEDULE).param_scheduler
    warmup |= {
        'start_factor': config['warmup_factor'],
        'end': config['warmup_iters'] + 1,
    }
    poly |= {'power': config['power'], 'end': config['max_iters'] + 1}
    optimizer = torch.optim.SGD(
        [torch.zeros(1, requires_grad=True)], config['base_lr']
    )
    schedulers = [
        PARAM_SCHEDULERS.build({**cfg, 'optimizer': optimizer})
        for cfg in (warmup, poly)
    ]
    rates = []
    for _ in range(case['in/iteration'].max() + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    return {'out/lr': np.array(rates)[case['in/iteration']]}
