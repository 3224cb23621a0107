"""Panoptic FCN: kernels fused, results, learning rates."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.structures import InstanceData

from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.fusion import PanopticFCNFusionHead
from mmseg_plugin.models.fusion.panoptic_fcn_fusion_head import (
    fuse_regions,
    fuse_things,
)
from mmseg_plugin.models.fusion.query_maps import Sizes
from mmseg_plugin.structures.kernels import Kernels
from tests.golden import Case, runner
from tests.golden.panoptic_fcn_case import case_maps, official_head
from tests.golden.panoptic_fcn_config import head_config
from tests.tiny_panoptic_fcn import numbered

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
            fused = fuse_things(kernels, *_similarity(case))
        else:
            fused = fuse_regions(kernels, 1000)
        got |= _named(f'out/{kind}', '', _there(fused))
    return got


def _similarity(case: Case) -> tuple[float, bool]:
    """Options of :func:`fuse_things`."""
    test_cfg = head_config(case)['test_cfg']
    return test_cfg['similarity_thr'], test_cfg['class_specific']


def _named(prefix: str, suffix: str, kernels: Kernels) -> dict:
    return {
        f'{prefix}_{name}{suffix}': value
        for name, value in zip(
            ('kernels', 'class', 'score'), kernels, strict=True
        )
    }


@runner('pfcn_inference')
def run_inference(case: Case) -> dict:
    head = official_head(case)
    config = head_config(case)
    fusion = PanopticFCNFusionHead(
        config['num_things_classes'],
        config['num_stuff_classes'],
        config['region_classes'],
        config['test_cfg'],
    ).to(case.device)
    sizes = Sizes(
        tuple(case.entry['padded_shape']),
        tuple(case['in/img_shape'].tolist()),
        tuple(case['in/ori_shape'].tolist()),
    )
    maps = case_maps(case)
    with torch.no_grad():
        found = head.find_kernels(maps)[0]
        features = maps.features[0]
        things = fuse_things(found.things, *_similarity(case))
        stuff = fuse_regions(found.regions, len(fusion.region_classes))
        candidates = fusion.candidates(things, features)
        count = int(fusion.reach(candidates, 'score_thr', 0.05).sum())
        instances = fusion.instances(candidates, sizes, count)
        present = (stuff.scores > 0).cpu().nonzero()[:, 0]
        regions = fusion.regions(stuff, features, sizes, present)
        shift = _shift(case)
        got = _level_candidates(head, maps, shift)
    for kind, before, fused in (
        ('thing', found.things, things),
        ('stuff', found.regions, stuff),
    ):
        pixels = features.flatten(1)
        logits = (fused.embed @ pixels).unflatten(1, features.shape[1:])
        got[f'out/{kind}_logits'] = logits[None][:, fused.scores > 0]
        if kind == 'stuff':
            before = before._replace(labels=before.labels + shift)
            fused = fused._replace(labels=fused.labels + shift)
        before, fused = _there(before), _there(fused)
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
    # From our labels to the official numbers of regions.
    shift -= head.region_classes.first
    most = int(fusion.reach(candidates, 'instance_thr', 0.2).sum())
    pasted = numbered(fusion.panoptic(instances, regions, most))
    return got | _segments(pasted, instances, shift)


def _there(kernels: Kernels) -> Kernels:
    """Without those of score zero, which fill up the list on a device."""
    there = kernels.scores > 0
    return Kernels(*(part[there] for part in kernels))


def _shift(case: Case) -> int:
    """From our region classes to the official numbers.

    Where things have no region, these still start with theirs.
    """
    return int(head_config(case)['region_classes'] == 'stuff')


def _level_candidates(
    head: PanopticFCNHead, maps: PanopticFCNMaps, shift: int
) -> dict:
    """What is found on each level, when nothing is on the others."""
    got = {}
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
        things, stuff = map(_there, found[0])
        got |= _named(f'out/level{i}_thing', '', things)
        stuff = stuff._replace(labels=stuff.labels + shift)
        got |= _named(f'out/level{i}_stuff', '', stuff)
    return got


def _segments(
    pasted: SimpleNamespace, instances: InstanceData, shift: int
) -> dict:
    """Official rows: id, is thing, category, instance, area.

    Args:
        pasted: panoptic result, see :func:`numbered`.
        instances: that were pasted.
        shift: from stuff labels to official categories.
    """
    rows, scores = [], []
    for index, (label, number) in enumerate(
        zip(pasted.labels.tolist(), pasted.instance.tolist(), strict=True)
    ):
        thing = number >= 0
        area = -1 if thing else int((pasted.winner == index + 1).sum())
        category = label if thing else label + shift
        rows.append([index + 1, thing, category, number, area])
        scores.append(float(instances.scores[number]) if thing else -1.0)
    return {
        'out/panoptic_seg': pasted.winner,
        'out/segments': np.reshape(rows, (-1, 5)),
        'out/segment_scores': scores,
    }


@runner('pfcn_lr')
def run_learning_rates(case: Case) -> dict:
    config = case.config
    warmup, poly = Config.fromfile(SCHEDULE).param_scheduler
    warmup_iters = config['warmup_iters']
    warmup |= {
        'start_factor': config['warmup_factor'],
        'end': warmup_iters + 1,
    }
    poly |= {'power': config['power'], 'end': config['max_iters'] + 1}
    base = config['base_lr']
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], base)
    schedulers = [
        PARAM_SCHEDULERS.build({**cfg, 'optimizer': optimizer})
        for cfg in ((warmup, poly) if warmup_iters else (poly,))
    ]
    rates = []
    # Where the published schedule stops to fall, after the warm-up.
    least = base * config.get('constant_ending', 0.0)
    for step in range(case['in/iteration'].max() + 1):
        rate = optimizer.param_groups[0]['lr']
        rates.append(max(rate, least) if step >= warmup_iters else rate)
        for scheduler in schedulers:
            scheduler.step()
    return {'out/lr': np.array(rates)[case['in/iteration']]}
