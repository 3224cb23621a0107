"""Panoptic FCN, part by part and as a whole, from official weights."""

import torch

from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import (
    normalized,
)
from mmseg_plugin.models.losses import WeightedDiceLoss
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    LevelTargets,
    PanopticFCNTargets,
    mass_centers,
)
from mmseg_plugin.registry import MODELS
from tests.golden import Case, compare, runner
from tests.golden.panoptic_fcn_case import (
    case_maps,
    gradients,
    make_targets,
    official_head,
    official_parameter,
)
from tests.golden.panoptic_fcn_config import head_config


def _levels(case: Case) -> list[int]:
    numbers = (key.removeprefix('in/feat_L') for key in case.arrays)
    return [int(number) for number in numbers if number.isdecimal()]


@runner('pfcn_semantic_fpn')
def run_semantic_fpn(case: Case) -> dict:
    head = official_head(case, 'semantic_fpn.')
    levels = [case.tensor(f'in/p{level}') for level in range(2, 6)]
    return {'out/out': head.semantic_fpn(levels)}


@runner('pfcn_position_head')
def run_position_head(case: Case) -> dict:
    head = official_head(case, 'position_head.')
    got = {}
    for level in _levels(case):
        x = head.position_convs(case.tensor(f'in/feat_L{level}'))
        got[f'out/inst_L{level}'] = head.conv_things(x)
        got[f'out/sem_L{level}'] = head.conv_regions(x)
    return got


@runner('pfcn_kernel_head')
def run_kernel_head(case: Case) -> dict:
    head = official_head(case, 'kernel_head.')
    return {
        f'out/weight_L{level}': head.conv_kernels(
            head.kernel_convs(case.tensor(f'in/feat_L{level}'))
        )
        for level in _levels(case)
    }


@runner('pfcn_feature_encoder')
def run_feature_encoder(case: Case) -> dict:
    head = official_head(case, 'feature_encoder.')
    return {'out/out': head.feature_convs(case.tensor('in/feat'))}


@runner('pfcn_generators_train')
def run_generators(case: Case) -> dict:
    head = official_head(case)
    features = case.tensor('in/encode_feat')
    things = case.tensor('in/idx_feat_th').permute(0, 2, 3, 1).flatten(1, 2)
    stuff = case.tensor('in/idx_feat_st').flatten(1)
    stuff = stuff.unflatten(0, (len(features), -1))
    return {
        'out/thing': torch.einsum(
            'bqd,bdhw->bqhw', head.thing_embed(things), features
        ),
        'out/stuff': torch.einsum(
            'bqd,bdhw->bqhw', head.region_embed(stuff), features
        ),
    }


def _slots(case: Case, targets: PanopticFCNTargets, level: LevelTargets):
    """(row, image, slot) of each thing of a level in the official layout."""
    seen: dict[int, int] = {}
    for row, thing in enumerate(level.thing.tolist()):
        image = int(targets.image[thing])
        seen[image] = seen.get(image, -1) + 1
        yield row, image, seen[image]


def _check_level(case: Case, targets: PanopticFCNTargets, number: int) -> None:
    """Compares one level's targets with the official padded layout."""
    level = targets.levels[number]
    height, width = level.heatmap.shape[-2:]
    layout = {
        name: torch.zeros(case[f'target/{name}_L{number}'].shape)
        for name in ('index', 'index_mask', 'class')
    }
    inst = torch.full(case[f'target/inst_L{number}'].shape, 255.0)
    for row, image, slot in _slots(case, targets, level):
        thing = level.thing[row]
        x, y = level.centers[row]
        layout['index'][image, slot] = y * width + x
        layout['index_mask'][image, slot] = 1
        layout['class'][image, slot] = targets.labels[thing]
        inst[image, slot] = targets.masks[thing]
    for name, value in layout.items():
        compare(case, f'target/{name}_L{number}', value)
    compare(case, f'target/inst_L{number}', inst)
    compare(case, f'target/center_L{number}', level.heatmap)
    compare(case, f'target/sem_scores_L{number}', level.regions)
    filled = level.regions > 0
    shown = filled.flatten(2).any(2)
    order = (~shown).long().argsort(dim=1, stable=True)
    sorted_index = shown.gather(1, order)
    keep = sorted_index[..., None, None]
    rows = torch.arange(len(order), device=case.device)[:, None]
    compare(case, f'target/sem_index_L{number}', sorted_index.float())
    compare(
        case,
        f'target/sem_masks_L{number}',
        (filled[rows, order] & keep).float(),
    )
    compare(
        case,
        f'target/sem_labels_L{number}',
        targets.regions[rows, order] * keep,
    )


@runner('pfcn_targets')
def run_targets(case: Case) -> dict:
    head = PanopticFCNHead(**head_config(case)).to(case.device)
    sizes = [tuple(size) for size in case.entry['feat_shapes']]
    targets = make_targets(case, head, sizes)
    draws, counts = [], []
    for number, level in enumerate(targets.levels):
        _check_level(case, targets, number)
        image = targets.image[level.thing]
        rows = [image, torch.full_like(image, number), *level.centers.T]
        draws.append(torch.stack([*rows, level.radii], 1))
        counts.append(len(level.thing))
    drawn = torch.cat(draws)
    got = {
        # Ours go level by level, theirs image by image.
        'out/draws': drawn[drawn[:, 0].argsort(stable=True)],
        'out/thing_num': counts,
        'out/stuff_num': [
            int((level.regions > 0).flatten(2).any(2).sum())
            for level in targets.levels
        ],
    }
    for image in range(len(targets.regions)):
        masks = targets.masks[targets.image == image]
        key = f'out/img{image}/strided_masks'
        if key not in case:
            continue
        _, height, width = case[key].shape
        got[key] = masks[:, :height, :width]
        places = mass_centers(got[key], torch.float32)
        got[f'out/img{image}/mass_centers'] = places.nan_to_num(-12345)
    return got


@runner('pfcn_losses')
def run_losses(case: Case) -> dict:
    head = official_head(case)
    maps = case_maps(case)
    sizes = [tuple(size) for size in case.entry['feat_shapes']]
    losses = head.loss_by_feat(maps, make_targets(case, head, sizes))
    sum(losses.values()).backward()
    got = {f'loss/{name}': value for name, value in losses.items()}
    return got | gradients(maps)


@runner('pfcn_loss_functions')
def run_loss_functions(case: Case) -> dict:
    config = case.config
    focal = MODELS.build(
        {
            'type': 'mmseg_plugin.MapFocalLoss',
            'alpha': config['alpha'],
            'gamma': config['gamma'],
        }
    )
    got = {}
    target = case.tensor('in/focal_target')
    pixels = target.shape[2] * target.shape[3]
    for name, avg_factor in (('thing', 1), ('stuff', pixels)):
        logits = case.tensor('in/focal_logits', grad=True)
        loss = focal(logits, target, avg_factor=avg_factor)
        loss.backward()
        got[f'loss/focal_{name}_sum'] = loss
        got[f'out/focal_{name}_grad'] = logits.grad
    eps = config.get('eps', 1e-8)
    dice = WeightedDiceLoss(loss_weight=1.0, eps=eps)
    valid = case.tensor('in/dice_thing_index_mask').bool()
    target = case.tensor('in/dice_thing_target')
    pred = case.tensor('in/dice_thing_pred', grad=True)
    weight = case.tensor('in/dice_thing_weight', grad=True)
    grouped = pred.unflatten(1, (valid.shape[1], -1))
    # The published eps bounds this sum too; ours has 1e-8 there.
    weights = normalized(weight[valid] * (1e-8 / eps))
    loss = dice(grouped[valid], target[valid], weights, 1)
    loss.backward()
    got['loss/dice_thing_sum'] = loss
    got['out/dice_thing_grad_pred'] = pred.grad
    got['out/dice_thing_grad_weight'] = weight.grad
    stuff = case.tensor('in/dice_stuff_pred')[valid][:, None]
    ones = stuff.new_ones(len(stuff), 1)
    got['loss/dice_stuff_sum'] = dice(stuff, target[valid], ones, 1)
    got['loss/dice_gt_num_0'] = dice(stuff[:0], target[valid][:0], ones[:0], 1)
    return got


@runner('pfcn_full')
def run_full(case: Case) -> dict:
    head = official_head(case)
    levels = [case.tensor(f'in/p{i}') for i in range(2, 6)]
    state = case.group('state/backbone.top_block.')
    top = {}
    for name in ('p6', 'p7'):
        x = levels[-1] if name == 'p6' else levels[-1].relu()
        top[name] = [
            state[f'{name}.{part}'].to(x.dtype).requires_grad_()
            for part in ('weight', 'bias')
        ]
        levels.append(
            torch.nn.functional.conv2d(x, *top[name], stride=2, padding=1)
        )
    maps = head(levels)
    sizes = [tuple(level.shape[-2:]) for level in maps.things]
    losses = head.loss_by_feat(maps, make_targets(case, head, sizes))
    sum(losses.values()).backward()
    got = {f'loss/{name}': value for name, value in losses.items()}
    parameters = [
        official_parameter(name, head, top)
        for name in case.entry['parameter_order']
    ]
    # Without any thing, nothing depends on what is for things only.
    got['out/param_grad_norm'] = torch.stack(
        [
            p.new_zeros(()) if p.grad is None else p.grad.norm()
            for p in parameters
        ]
    )
    got['out/img0_encode_feat'] = maps.features[:1]
    for name, maps_of in zip(
        ('center', 'region', 'kernel'), maps[:3], strict=True
    ):
        for i, level in enumerate(maps_of):
            got[f'out/img0_{name}_L{i}'] = level[:1]
    return got
