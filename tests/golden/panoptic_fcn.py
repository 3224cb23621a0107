"""Panoptic FCN, part by part and as a whole, from official weights."""

import torch
from torch import Tensor

from mmseg_plugin.converters import choose_table, convert
from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_kernels import (
    normalized,
)
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.losses import WeightedDiceLoss
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    LevelTargets,
    PanopticFCNTargets,
)
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import Targets
from tests.golden import Case, compare, runner


def head_config(case: Case) -> dict:
    """Our head's config from the official keys of a case."""
    config = case.config

    def get(key: str, default: object) -> object:
        return config.get(f'MODEL.{key}', default)

    things = get('POSITION_HEAD.THING.NUM_CLASSES', 80)
    num_regions = get('POSITION_HEAD.STUFF.NUM_CLASSES', 54)
    with_thing = get('POSITION_HEAD.STUFF.WITH_THING', True)
    segment = get('LOSS_WEIGHT.SEGMENT', 3.0)
    deformed = {'type': 'DCNv2'}
    encoder_deformed = get('FEATURE_ENCODER.DEFORM', False)
    kind = 'stuff_and_thing' if with_thing else 'stuff'
    if get('POSITION_HEAD.STUFF.ALL_CLASSES', False):
        kind = 'all'
    not_stuff = {'all': things, 'stuff_and_thing': 1, 'stuff': 0}
    return {
        'num_things_classes': things,
        'num_stuff_classes': num_regions - not_stuff[kind],
        'region_classes': kind,
        'in_channels': get('FPN.OUT_CHANNELS', 256),
        'semantic_fpn': {
            'type': 'mmseg_plugin.SemanticFPN',
            'in_channels': get('FPN.OUT_CHANNELS', 256),
            'out_channels': get('SEMANTIC_FPN.CONVS_DIM', 256),
        },
        'position_head': {
            'channels': get('POSITION_HEAD.CONVS_DIM', 256),
            'num_convs': get('POSITION_HEAD.NUM_CONVS', 3),
        },
        'kernel_head': {'channels': get('KERNEL_HEAD.CONVS_DIM', 256)},
        'feature_encoder': {
            'channels': get('FEATURE_ENCODER.CONVS_DIM', 64),
            'conv_cfg': deformed if encoder_deformed else None,
        },
        'num_kernels': get('POSITION_HEAD.THING.POS_NUM', 7),
        'targets': {
            'instance_scales': get('KERNEL_HEAD.INSTANCE_SCALES', None),
        },
        'loss_position': {
            'type': 'mmdet.FocalLoss',
            'loss_weight': get('LOSS_WEIGHT.POSITION', 1.0),
        },
        'loss_mask': {
            'type': 'mmseg_plugin.WeightedDiceLoss',
            'loss_weight': segment,
        },
    }


def official_head(case: Case, prefix: str = '') -> PanopticFCNHead:
    """The head with a case's weights, whose names lack ``prefix``."""
    head = PanopticFCNHead(**head_config(case)).eval()
    state = {f'{prefix}{k}': v for k, v in case.group('state/').items()}
    table = choose_table('panoptic_fcn', state, 'd2')
    table = table._replace(
        rules=tuple(rule._replace(optional=True) for rule in table.rules)
    )
    ours = {
        name.removeprefix('panoptic_head.'): value
        for name, value in convert(state, table, 'mmdet').state.items()
    }
    report = head.load_state_dict(ours, strict=False)
    loaded = {name.split('.')[0] for name in ours}
    absent = [k for k in report.missing_keys if k.split('.')[0] in loaded]
    unknown = [k for k in report.unexpected_keys if k[:5] != 'neck.']
    assert not absent, absent
    assert not unknown, unknown
    return head


def region_map(case: Case, sem_seg: Tensor) -> Tensor:
    """Official region labels to ours: none is -1."""
    config = case.config
    regions = sem_seg.long()
    if not (
        config['MODEL.POSITION_HEAD.STUFF.WITH_THING']
        or config.get('MODEL.POSITION_HEAD.STUFF.ALL_CLASSES')
    ):
        regions = torch.where(regions == 0, 255, regions) - 1
    count = config['MODEL.POSITION_HEAD.STUFF.NUM_CLASSES']
    return torch.where(regions < count, regions, -1)


def make_targets(
    case: Case, head: PanopticFCNHead, level_sizes: list
) -> PanopticFCNTargets:
    size = tuple(case.entry['padded_shape'])
    targets, regions = [], []
    batch = 0
    while f'in/img{batch}/boxes' in case:
        data = case.group(f'in/img{batch}/')
        boxes = data['boxes']
        boxes = torch.cat((boxes[:, :2] + boxes[:, 2:], boxes[:, 2:]), 1)
        boxes[:, 2:] -= data['boxes'][:, :2]
        boxes[:, :2] /= 2
        masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
        height, width = data['masks'].shape[1:]
        masks[:, :height, :width] = data['masks']
        boxes /= boxes.new_tensor([size[1], size[0]] * 2)
        targets.append(Targets(data['classes'], masks, boxes))
        region = torch.full(size, -1)
        region[:height, :width] = region_map(case, data['sem_seg'])
        regions.append(region)
        batch += 1
    return head.target_generator.generate(
        targets, torch.stack(regions), level_sizes
    )


def _levels(case: Case) -> list[int]:
    return [level for level in range(5) if f'in/feat_L{level}' in case]


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
    rows = torch.arange(len(order))[:, None]
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
    head = PanopticFCNHead(**head_config(case))
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
        places = [
            torch.cat((m.nonzero().float().mean(0).flip(0),)) for m in masks
        ]
        got[f'out/img{image}/mass_centers'] = torch.stack(places).nan_to_num(
            -12345
        )
    return got


def case_maps(case: Case) -> PanopticFCNMaps:
    """Inputs of a case, ready for gradients."""

    def levels(name: str) -> list[Tensor]:
        numbers = range(len(case.entry['feat_shapes']))
        return [case.tensor(f'in/{name}_L{i}', grad=True) for i in numbers]

    return PanopticFCNMaps(
        levels('pred_center'),
        levels('pred_region'),
        levels('pred_weight'),
        case.tensor('in/encode_feat', grad=True),
    )


def gradients(maps: PanopticFCNMaps) -> dict[str, Tensor]:
    """The case's names to the gradients of its inputs."""
    got = {}
    for name, levels in zip(
        ('center', 'region', 'kernel'), maps[:3], strict=True
    ):
        for i, level in enumerate(levels):
            got[f'out/grad_{name}_L{i}'] = level.grad
    got['out/grad_encode_feat_sum_over_channels'] = maps.features.grad.sum(1)
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
            'type': 'mmdet.FocalLoss',
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
    dice = WeightedDiceLoss(loss_weight=1.0)
    valid = case.tensor('in/dice_thing_index_mask')
    target = case.tensor('in/dice_thing_target')
    pred = case.tensor('in/dice_thing_pred', grad=True)
    weight = case.tensor('in/dice_thing_weight', grad=True)
    grouped = pred.unflatten(1, (config['instance_num'], -1))
    loss = dice(grouped[valid], target[valid], normalized(weight[valid]), 1)
    loss.backward()
    got['loss/dice_thing_sum'] = loss
    got['out/dice_thing_grad_pred'] = pred.grad
    got['out/dice_thing_grad_weight'] = weight.grad
    stuff = case.tensor('in/dice_stuff_pred')[valid][:, None]
    ones = torch.ones(len(stuff), 1)
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
            state[f'{name}.{part}'].requires_grad_()
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
    got['out/param_grad_norm'] = torch.stack(
        [
            _official_parameter(name, head, top).grad.norm()
            for name in case.entry['parameter_order']
        ]
    )
    got['out/img0_encode_feat'] = maps.features[:1]
    for name, maps_of in zip(
        ('center', 'region', 'kernel'), maps[:3], strict=True
    ):
        for i, level in enumerate(maps_of):
            got[f'out/img0_{name}_L{i}'] = level[:1]
    return got


def _official_parameter(name: str, head: PanopticFCNHead, top: dict) -> Tensor:
    """Our parameter behind an official name."""
    if name.startswith('backbone.top_block.'):
        level, part = name.split('.')[-2:]
        return top[level][part == 'bias']
    table = choose_table('panoptic_fcn', head_names(head), 'mmdet')
    table = table._replace(
        rules=tuple(rule._replace(optional=True) for rule in table.rules)
    )
    empty = torch.zeros(1, 1, 1, 1)
    ours = next(iter(convert({name: empty}, table, 'mmdet').state))
    return head.get_parameter(ours.removeprefix('panoptic_head.'))


def head_names(head: PanopticFCNHead) -> dict[str, Tensor]:
    """State dict of the head as a part of the detector."""
    return {f'panoptic_head.{k}': v for k, v in head.state_dict().items()}
