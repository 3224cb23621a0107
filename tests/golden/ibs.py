"""Intra-Batch Supervision of both hosts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmseg_plugin.models.dense_heads.panoptic_fcn_head import PanopticFCNMaps
from mmseg_plugin.models.losses import IntraBatchLoss, PointMaskLoss
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargets,
)
from mmseg_plugin.structures import MaskLogits, Matches, Targets
from tests.golden import Case, runner
from tests.golden.panoptic_fcn import (
    case_maps,
    gradients,
    make_targets,
    official_head,
)


def _matches(case: Case, targets: list[Targets]) -> tuple[Matches, Tensor]:
    """Recorded pairs by target, and their places in the case's order."""
    image, query, target, repeats = [], [], [], []
    for i, truth in enumerate(targets):
        matched = case.tensor(f'target/img{i}/matched_gt')
        image.append(torch.full_like(matched, i))
        query.append(case.tensor(f'target/img{i}/matched_query'))
        target.append(matched)
        counts = matched.bincount(minlength=len(truth.labels))
        repeats.append(tuple(counts.tolist()))
    image, query, target = (torch.cat(x) for x in (image, query, target))
    order = (image * 1000 + target).argsort()
    pairs = Matches(
        torch.zeros_like(image),
        image[order],
        query[order],
        target[order],
        tuple(repeats),
    )
    return pairs, order


def _linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])


def _predictions(case: Case) -> tuple[Tensor, Tensor]:
    """Class logits (B, Q, C + 1) and mask embeddings (B, Q, D)."""
    state = case.group('state/')
    query = case.tensor('in/decoder_output').transpose(0, 1)
    norm = nn.LayerNorm(query.shape[-1])
    norm.load_state_dict(
        {k: state[f'decoder_norm.{k}'] for k in ('weight', 'bias')}
    )
    query = norm(query)
    embed = query
    for layer in range(3):
        embed = _linear(state, f'mask_embed.layers.{layer}', embed)
        embed = embed.relu() if layer < 2 else embed
    return _linear(state, 'class_embed', query), embed


def _uniform(case: Case, number: int) -> Tensor | None:
    """The random points of one sampling: candidates, then the rest."""
    if f'in/rand_{number}' not in case:
        return None
    parts = (case.tensor(f'in/rand_{number + i}') for i in (0, 1))
    return torch.cat(list(parts), 1)


def _own_losses(
    case: Case, masks: MaskLogits, targets: list[Targets], matches: Matches
) -> dict:
    config = case.config
    loss = PointMaskLoss(
        config['num_points'],
        config['oversample_ratio'],
        config['importance_sample_ratio'],
        mask_weight=1.0,
        dice_weight=1.0,
    )
    _, order = _matches(case, targets)
    points = torch.zeros(0, config['num_points'], 2)
    if len(order):
        maps = masks.of(matches).detach()
        points = loss.draw_points(maps, _uniform(case, 0)[order])
    values = loss(masks, targets, matches, config['num_masks'], points)
    return dict(
        zip(
            ('loss/loss_mask', 'loss/loss_dice'), map(sum, values), strict=True
        )
    )


@runner('ibs_m2f')
def run_mask2former(case: Case) -> dict:
    config = case.config
    targets = []
    while f'target/img{len(targets)}/labels' in case:
        data = case.group(f'target/img{len(targets)}/')
        targets.append(Targets(data['labels'], data['masks']))
    matches, order = _matches(case, targets)
    cls_logits, embed = _predictions(case)
    features = case.tensor('in/mask_features')
    partner = case.tensor('in/partner')
    masks = MaskLogits(embed, features)
    cross = MaskLogits(embed, features[partner]).dense()
    options = {
        'thing_classes': config['thing_classes'],
        'alpha': config['alpha'],
        'gamma': config['gamma'],
        'first_layer': 0,
    }
    dense = IntraBatchLoss(**options, num_points=None)
    sampled = IntraBatchLoss(
        **options,
        num_points=config['num_points']
        if config['ibs_point_sampling']
        else None,
        oversample_ratio=config['oversample_ratio'],
        importance_sample_ratio=config['importance_sample_ratio'],
        skip_class_zero=True,
    )
    matched = [
        target.labels[case.tensor(f'target/img{i}/matched_gt')]
        for i, target in enumerate(targets)
    ]
    matched = torch.cat(matched)
    used = sampled.is_used(matched)
    uniform = _uniform(case, 2)
    if uniform is not None:
        # From the case's order of pairs to ours.
        place = used.cumsum(0) - 1
        uniform = uniform[place[order][used[order]]]
    given = {'partners': partner[None], 'uniform': uniform}
    # Every cross-image map as a feature of its own has a gradient.
    leaf = cross.detach().requires_grad_()
    rows, batch, queries = len(leaf.flatten(0, 1)), *leaf.shape[:2]
    own = leaf.new_zeros(batch, rows, *leaf.shape[2:])
    for image, other in enumerate(partner.tolist()):
        part = slice(image * queries, (image + 1) * queries)
        own = own.index_put(
            (torch.tensor(other), torch.arange(rows)[part]), leaf[image]
        )
    eye = torch.eye(rows).view(batch, queries, rows)
    loss = sampled(MaskLogits(eye, own), targets, matches, **given).sum()
    loss.backward()
    skipping = IntraBatchLoss(**options, num_points=None, skip_class_zero=True)
    return _own_losses(case, masks, targets, matches) | {
        'out/pred_masks': masks.dense(),
        'out/pred_masks_ibs': cross,
        'out/pred_logits': cls_logits,
        'out/matched_label': matched,
        'out/used_in_ibs': used,
        'out/is_thing': dense.is_used(matched),
        'out/grad_pred_masks_ibs': leaf.grad,
        'loss/loss_mask_ibs': sampled(masks, targets, matches, **given).sum(),
        'loss/info_dense_ibs': skipping(
            masks, targets, matches, partners=partner[None]
        ).sum(),
        'loss/fixed_loss_mask_ibs': dense(
            masks, targets, matches, partners=partner[None]
        ).sum(),
    }


@runner('ibs_pfcn')
def run_panoptic_fcn(case: Case) -> dict:
    config = case.config
    head = official_head(case)
    adjacent = config.get('INPUT.NEW_SAMPLING', False)
    head.loss_ibs = IntraBatchLoss(
        range(head.num_things_classes),
        loss_weight=config['IBS_WEIGHT'] * config['MODEL.LOSS_WEIGHT.SEGMENT'],
        num_points=None,
        pairing='adjacent' if adjacent else 'random',
        first_layer=0,
    )
    maps = case_maps(case)
    sizes = [tuple(size) for size in case.entry['feat_shapes']]
    targets = make_targets(case, head, sizes)
    partner = case.tensor('in/partner')
    if adjacent:
        drawn = head.loss_ibs.draw_partners(1, len(partner), partner.device)
        assert torch.equal(drawn[0], partner)
    losses = head.loss_by_feat(maps, targets, partner[None])
    sum(losses.values()).backward()
    losses['loss_ibs_th'] = losses.pop('loss_ibs')
    got = {f'loss/{name}': value for name, value in losses.items()}
    mean, std = _cross_statistics(case, head, maps, targets, partner)
    got['out/cross_logit_mean'] = mean
    got['out/cross_logit_std'] = std
    return got | gradients(maps)


def _cross_statistics(
    case: Case,
    head: nn.Module,
    maps: PanopticFCNMaps,
    targets: PanopticFCNTargets,
    partner: Tensor,
) -> tuple[Tensor, Tensor]:
    """Mean and spread of each cross-image map, in the official layout."""
    masks, things, _, weights = head._thing_masks(maps, targets)
    with torch.no_grad():
        cross = MaskLogits(masks.embed, maps.features[partner]).dense()
    # Slots without a thing, and kernels of weight zero, mean nothing.
    found = [case.tensor(f'out/cross_logit_{x}') for x in ('mean', 'std')]
    pairs = torch.cat([level.thing for level in targets.levels])
    where = pairs.argsort(stable=True).argsort()
    image = targets.image[pairs]
    first = F.pad(image.bincount(minlength=len(partner)), (1, 0)).cumsum(0)
    start = number = 0
    for level in targets.levels:
        count = targets.image[level.thing].bincount(minlength=len(partner))
        seen = [0] * len(partner)
        for _ in level.thing:
            i = int(image[number])
            pair = int(where[number])
            for k, weight in enumerate(weights[pair]):
                row = (pair - first[i]) * head.num_kernels + k
                slot = (start + seen[i]) * head.num_kernels + k
                if weight > 0:
                    found[0][i, slot] = cross[i, row].mean()
                    found[1][i, slot] = cross[i, row].std()
            seen[i] += 1
            number += 1
        start += int(count.max())
    return found[0], found[1]
