"""A golden case of Panoptic FCN as our head, inputs, targets and names."""

import torch
from torch import Tensor

from mmseg_plugin.converters import choose_table, convert
from mmseg_plugin.models.dense_heads import PanopticFCNHead
from mmseg_plugin.models.dense_heads.panoptic_fcn_layers import (
    PanopticFCNMaps,
)
from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargets,
)
from mmseg_plugin.structures import Targets
from tests.golden import Case


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


def official_parameter(name: str, head: PanopticFCNHead, top: dict) -> Tensor:
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
