"""Matchers and criteria of Mask2Former and MaskFormer."""

import torch
from torch import Tensor

from mmseg_plugin.models.criterions import target_count
from mmseg_plugin.models.losses import (
    DenseMaskLoss,
    PointMaskLoss,
    QueryClassLoss,
)
from mmseg_plugin.models.task_modules import BatchHungarianAssigner
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    QueryPredictions,
    Targets,
)
from tests.golden import Case, runner

MASK_COST = {'m2f': 'MaskBCECost', 'mf': 'MaskFocalCost'}


def _targets(case: Case) -> list[Targets]:
    return [
        Targets(
            case.tensor(f'target/{i}/labels').long(),
            case.tensor(f'target/{i}/masks').bool(),
        )
        for i in range(int(case['target/num']))
    ]


def dense_predictions(logits: Tensor, masks: Tensor) -> QueryPredictions:
    """Dense masks (L, B, Q, h, w) as a product: one channel for each."""
    layers, _, queries = masks.shape[:3]
    one_hot = torch.eye(layers * queries).to(masks)
    embed = one_hot.reshape(layers, 1, queries, -1)
    embed = embed.expand(-1, masks.shape[1], -1, -1)
    features = masks.transpose(0, 1).flatten(1, 2)
    return QueryPredictions(logits, MaskLogits(embed, features))


def _assigner(
    case: Case, weights: dict[str, float], **overrides
) -> BatchHungarianAssigner:
    family = case.kind.split('_')[0]
    names = {
        'cls': 'SoftmaxClassCost',
        'mask': MASK_COST[family],
        'dice': 'MaskDiceCost',
    }
    return BatchHungarianAssigner(
        [
            {'type': f'mmseg_plugin.{names[key]}', 'weight': weight}
            for key, weight in weights.items()
        ],
        num_points=None if family == 'mf' else 1,
        **overrides,
    )


def match_points(case: Case, prefix: str, images: int) -> Tensor | None:
    """Recorded points (B, K, 2) of the matcher, None if it has none."""
    if f'{prefix}0' not in case:
        return None
    return torch.stack([case.tensor(f'{prefix}{i}') for i in range(images)])


def pairs(matches: Matches, layer: int, image: int) -> tuple[Tensor, Tensor]:
    """Query and target of each pair in the order of the published matcher."""
    chosen = (matches.layer == layer) & (matches.image == image)
    query, target = matches.query[chosen], matches.target[chosen]
    order = query.argsort()
    return query[order], target[order]


def _run_matcher(case: Case) -> dict[str, Tensor]:
    targets = _targets(case)
    predictions = dense_predictions(
        case.tensor('in/pred_logits')[None], case.tensor('in/pred_masks')[None]
    )
    config = case.config
    weights = {
        'cls': config['cost_class'],
        'mask': config['cost_mask'],
        'dice': config['cost_dice'],
    }
    points = match_points(case, 'in/points/', len(targets))
    assigner = _assigner(case, weights)
    matches = assigner.assign(predictions, targets, points)
    results = {}
    for name, kept in (
        ('cost', weights),
        ('cost_mask_unweighted', {'mask': 1}),
        ('cost_dice_unweighted', {'dice': 1}),
    ):
        costs = _assigner(case, kept).cost_matrices(
            predictions, targets, points
        )
        for image, cost in enumerate(costs):
            results[f'out/{image}/{name}'] = cost[0]
    for image in range(len(targets)):
        query, target = pairs(matches, 0, image)
        results[f'out/{image}/src'] = query
        results[f'out/{image}/tgt'] = target
    return results


def _run_criterion(case: Case) -> dict[str, Tensor]:
    entry, targets = case.entry, _targets(case)
    layers = ['final']
    while f'in/outputs/aux_{len(layers) - 1}/pred_logits' in case:
        layers.append(f'aux_{len(layers) - 1}')
    paths = ['' if name == 'final' else f'{name}/' for name in layers]
    inputs = {
        path + kind: case.tensor(f'in/outputs/{path}{kind}', grad=True)
        for path in paths
        for kind in ('pred_logits', 'pred_masks')
    }
    predictions = dense_predictions(
        *(
            torch.stack([inputs[path + kind] for path in paths])
            for kind in ('pred_logits', 'pred_masks')
        )
    )
    points = [
        match_points(case, f'in/points/match/{name}/', len(targets))
        for name in layers
    ]
    points = None if points[0] is None else torch.stack(points)
    assigner = _assigner(case, entry['matcher_weights'])
    costs = assigner.cost_matrices(predictions, targets, points)
    matches = assigner.assign(predictions, targets, points)

    results, weights = {}, entry['weight_dict']
    for i, name in enumerate(layers):
        for image, cost in enumerate(costs):
            query, target = pairs(matches, i, image)
            where = f'out/match/{name}/{image}'
            results[f'{where}/cost'] = cost[i]
            results[f'{where}/src'] = query
            results[f'{where}/tgt'] = target

    losses = _losses(case, predictions, targets, matches, layers)
    total = torch.zeros((), device=case.device)
    for key, values in losses.items():
        for name, value in zip(layers, values, strict=True):
            full = key + name.removeprefix('aux').removeprefix('final')
            results[f'loss/{full}'] = value
            total = total + weights.get(full, 0) * value
    results['loss_total_weighted'] = total
    grads = torch.autograd.grad(total, list(inputs.values()))
    for key, grad in zip(inputs, grads, strict=True):
        results[f'grad/{key}'] = grad
    return results


def _losses(
    case: Case,
    predictions: QueryPredictions,
    targets: list[Targets],
    matches: Matches,
    layers: list[str],
) -> dict[str, Tensor]:
    """Unweighted losses (L,) under their published names."""
    entry = case.entry
    queries, columns = predictions.cls_logits.shape[2:]
    count = target_count(targets, queries)
    classes = QueryClassLoss(columns - 1, entry['eos_coef']).to(case.device)
    if case.kind == 'mf_criterion':
        loss = DenseMaskLoss(mask_weight=1, dice_weight=1)
        masks = loss(predictions.masks, targets, matches, count)
    else:
        loss = PointMaskLoss(
            entry['num_points'],
            entry['oversample_ratio'],
            entry['importance_sample_ratio'],
            mask_weight=1,
            dice_weight=1,
        )
        points = loss_points(case, matches, layers)
        masks = loss(predictions.masks, targets, matches, count, points)
    return {
        'loss_ce': classes(predictions.cls_logits, targets, matches),
        'loss_mask': masks[0],
        'loss_dice': masks[1],
    }


def loss_points(case: Case, matches: Matches, layers: list[str]) -> Tensor:
    """Recorded points (M, K, 2), brought into the order of our pairs."""
    recorded = torch.cat(
        [case.tensor(f'in/points/loss/{name}') for name in layers]
    )
    # Published order: by layer, image and query.
    keys = torch.stack((matches.layer, matches.image, matches.query))
    span = int(keys.max()) + 1 if keys.numel() else 1
    place = (keys[0] * span + keys[1]) * span + keys[2]
    return recorded[place.argsort().argsort()]


for _kind in ('m2f_matcher', 'mf_matcher'):
    runner(_kind)(_run_matcher)
for _kind in ('m2f_criterion', 'mf_criterion'):
    runner(_kind)(_run_criterion)
