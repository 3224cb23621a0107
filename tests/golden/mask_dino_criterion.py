"""Mask DINO: targets and criterion."""

import re

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmseg_plugin.models.criterions import MaskDINOPredictions
from mmseg_plugin.models.dense_heads import MaskDINOHead
from mmseg_plugin.models.layers.denoising import DenoisingQueries
from mmseg_plugin.structures import Matches, QueryPredictions, Targets
from tests.golden import Case, runner
from tests.golden.mask_dino import mask_dino_targets
from tests.golden.matching import (
    dense_predictions,
    loss_points,
    match_points,
    pairs,
)

# Published kinds of losses: those of each name.
KINDS = {
    'labels': ('loss_ce',),
    'masks': ('loss_mask', 'loss_dice'),
    'boxes': ('loss_bbox', 'loss_giou'),
}
# Published names of the losses; ours have the prefixes ``enc_`` and ``dn_``
# and layers as ``d{i}.`` where the published end in ``_interm``, ``_dn`` and
# ``_{i}``.
LOSSES = {
    'loss_cls': 'loss_ce',
    'loss_mask': 'loss_mask',
    'loss_dice': 'loss_dice',
    'loss_bbox': 'loss_bbox',
    'loss_iou': 'loss_giou',
}


def official_loss_name(name: str) -> str:
    """``d0.dn_loss_iou`` becomes ``loss_giou_dn_0``."""
    layer, kind, loss = re.fullmatch(
        r'(?:d(\d+)\.)?(enc_|dn_)?(loss_\w+)', name
    ).groups()
    suffix = {'enc_': '_interm', 'dn_': '_dn', None: ''}[kind]
    return LOSSES[loss] + suffix + (f'_{layer}' if layer else '')


def _weight(entry: dict, key: str) -> float:
    """Weight of a published loss, zero if the case has none of it."""
    kinds = entry['dn_losses' if '_dn' in key else 'losses']
    is_there = any(
        key.startswith(name) for kind in kinds for name in KINDS[kind]
    )
    return entry['weight_dict'].get(key, 0.0) if is_there else 0.0


def _tiny_head(num_classes: int = 2, **options) -> MaskDINOHead:
    """A head for its targets and losses only."""
    return MaskDINOHead(
        pixel_decoder={'type': 'mmseg_plugin.MaskDINOEncoder'},
        transformer_decoder={'num_layers': 1, 'num_heads': 1},
        in_channels=(1, 1, 1, 1),
        feat_channels=32,
        out_channels=8,
        num_things_classes=num_classes,
        num_stuff_classes=0,
        **options,
    )


@runner('maskdino_prepare_targets')
def run_prepare_targets(case: Case) -> dict:
    samples = []
    for i, image_size in enumerate(case['in/image_sizes'].tolist()):
        instances = InstanceData(
            labels=case.tensor(f'in/{i}/labels'),
            masks=case.tensor(f'in/{i}/masks'),
            bboxes=case.tensor(f'in/{i}/boxes_xyxy_pixels'),
        )
        padded = tuple(case['in/padded_size'].tolist())
        sample = DetDataSample(
            metainfo={
                'batch_input_shape': padded,
                'img_shape': tuple(image_size),
            },
            gt_instances=instances,
        )
        samples.append(sample)
    targets = _tiny_head(unpadded_boxes=True).get_targets(samples)
    got: dict = {'target/num': len(targets)}
    for i, target in enumerate(targets):
        for key, value in target._asdict().items():
            got[f'target/{i}/{key}'] = value
    return got


def _criterion(
    case: Case, num_queries: int, num_classes: int, two_stage: bool
) -> MaskDINOHead:
    """A head with the case's costs and losses, which have no weights."""
    entry = case.entry
    cost_types = {
        'cls': 'FocalClassCost',
        'mask': 'MaskBCECost',
        'dice': 'MaskDiceCost',
        'box': 'BoxL1Cost',
        'giou': 'BoxGIoUCost',
    }
    loss_cls = {'type': 'mmseg_plugin.QueryFocalLoss'}
    if entry['semantic_ce_loss']:
        loss_cls = {
            'type': 'mmseg_plugin.QueryClassLoss',
            'no_object_weight': entry['eos_coef'],
        }
    head = _tiny_head(
        num_classes,
        num_queries=num_queries,
        two_stage=two_stage,
        use_sigmoid=not entry['semantic_ce_loss'],
        denoising=None if entry['dn'] == 'no' else {},
        denoise_masks='masks' in entry['dn_losses'],
        loss_cls={**loss_cls, 'loss_weight': 1.0},
        loss_mask={
            'type': 'mmseg_plugin.PointMaskLoss',
            'num_points': entry['num_points'],
            'oversample_ratio': entry['oversample_ratio'],
            'importance_sample_ratio': entry['importance_sample_ratio'],
            'mask_weight': 1.0,
            'dice_weight': 1.0,
        },
        loss_bbox={
            'type': 'mmseg_plugin.QueryBoxLoss',
            'l1_weight': 1.0,
            'iou_weight': 1.0,
        },
        train_cfg={
            'assigner': {
                'type': 'mmseg_plugin.BatchHungarianAssigner',
                'num_points': entry['num_points'],
                'costs': [
                    {
                        'type': f'mmseg_plugin.{cost_types[key]}',
                        'weight': weight,
                    }
                    for key, weight in entry['matcher_weights'].items()
                ],
            }
        },
    )
    return head.to(case.device)


def _stacked(
    case: Case, prefix: str, names: list[str]
) -> tuple[dict[str, Tensor], QueryPredictions]:
    """Leaves by their published paths, and all layers of them as one."""
    paths = ['' if name == 'final' else f'{name}/' for name in names]
    leaves = {
        path + kind: case.tensor(f'in/{prefix}/{path}{kind}', grad=True)
        for path in paths
        for kind in ('pred_logits', 'pred_masks', 'pred_boxes')
    }
    logits, masks, boxes = (
        torch.stack([leaves[path + kind] for path in paths])
        for kind in ('pred_logits', 'pred_masks', 'pred_boxes')
    )
    return leaves, dense_predictions(logits, masks)._replace(boxes=boxes)


def _noise(case: Case, targets: list[Targets]) -> DenoisingQueries:
    groups, padded = case.entry['dn_scalar'], case.entry['dn_pad_size']
    places = torch.arange(padded, device=case.device)
    starts = places[:groups] * (padded // groups)
    queries = [
        starts + places[: len(target.labels), None] for target in targets
    ]
    blank = torch.zeros(len(targets), padded, 4, device=case.device)
    return DenoisingQueries(blank, blank, targets, queries, groups, 0)


def _denoised(num_layers: int, first: int) -> list[str]:
    return [
        'dn' if i == num_layers - 1 else f'dn_aux_{i}'
        for i in range(first, num_layers)
    ]


@runner('maskdino_criterion')
def run_criterion(case: Case) -> dict:
    entry, targets = case.entry, mask_dino_targets(case)
    has_interm = 'in/outputs/interm/pred_logits' in case
    aux = []
    while f'in/outputs/aux_{len(aux)}/pred_logits' in case:
        aux.append(f'aux_{len(aux)}')
    names = ['interm'] * has_interm + aux + ['final']
    leaves, matching = _stacked(case, 'outputs', names)
    num_queries, num_logits = matching.cls_logits.shape[2:]
    num_classes = num_logits - entry['semantic_ce_loss']
    head = _criterion(case, num_queries, num_classes, has_interm)

    at = torch.stack(
        [
            match_points(case, f'in/points/match/{name}/', len(targets))
            for name in names
        ]
    )
    assigner = head.criterion.assigner
    matches = assigner.assign(matching, targets, at)
    predictions = MaskDINOPredictions(matching)
    dn_leaves, dn_points = {}, None
    if entry.get('dn_scalar'):
        dn_leaves, denoised = _stacked(case, 'dn', [*aux, 'final'])
        noise = _noise(case, targets)
        predictions = MaskDINOPredictions(matching, denoised, noise)
        if head.criterion.denoise_masks:
            first = 0 if has_interm else 1
            layers = _denoised(len(aux) + 1, first)
            dn_points = loss_points(
                case, Matches.fixed(noise.queries, len(layers)), layers
            )
    losses = head.criterion(
        predictions,
        targets,
        at,
        loss_points(case, matches, names),
        dn_points=dn_points,
    )
    got = _matched(assigner.cost_matrices(matching, targets, at), names)
    got |= _pairs_of(matches, names, len(targets))
    total = torch.zeros((), device=case.device)
    for name, loss in losses.items():
        if 'loss' in name:
            key = official_loss_name(name)
            got[f'loss/{key}'] = loss
            total = total + _weight(entry, key) * loss
    got['loss_total_weighted'] = total
    leaves |= {f'dn/{key}': leaf for key, leaf in dn_leaves.items()}
    grads = torch.autograd.grad(
        total, list(leaves.values()), materialize_grads=True
    )
    for key, grad in zip(leaves, grads, strict=True):
        got[f'grad/{key}'] = grad
    return got


def _matched(costs: list[Tensor], names: list[str]) -> dict[str, Tensor]:
    return {
        f'out/match/{name}/{image}/cost': layer
        for image, cost in enumerate(costs)
        for name, layer in zip(names, cost, strict=True)
    }


def _pairs_of(
    matches: Matches, names: list[str], images: int
) -> dict[str, Tensor]:
    got = {}
    for i, name in enumerate(names):
        for image in range(images):
            query, target = pairs(matches, i, image)
            got[f'out/match/{name}/{image}/src'] = query
            got[f'out/match/{name}/{image}/tgt'] = target
    return got
