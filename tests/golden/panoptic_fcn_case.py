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
from tests.golden.panoptic_fcn_config import head_config, official


def maps_dtype(case: Case) -> torch.dtype:
    """Precision of a case's maps and features."""
    for key, value in case.arrays.items():
        is_map = key.startswith('in/') and not key.startswith('in/img')
        if is_map and value.dtype.kind == 'f':
            return torch.float64 if value.itemsize == 8 else torch.float32
    return torch.float32


def official_head(case: Case, prefix: str = '') -> PanopticFCNHead:
    """The head with a case's weights, whose names lack ``prefix``."""
    head = PanopticFCNHead(**head_config(case)).eval()
    head.to(case.device, maps_dtype(case))
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
    config = official(case)
    regions = sem_seg.long()
    is_void = regions == config['IGNORE_VALUE']
    if head_config(case)['region_classes'] == 'stuff':
        regions = regions - 1
    count = config['POSITION_HEAD.STUFF.NUM_CLASSES']
    return torch.where(is_void | (regions >= count), -1, regions)


def _image_targets(case: Case, image: int, size: tuple[int, int]) -> Targets:
    """Things of one image, none where the case has none."""
    data = case.group(f'in/img{image}/')
    corners = data.get('boxes', torch.zeros(0, 4, device=case.device))
    first, last = corners.split(2, 1)
    boxes = torch.cat(((first + last) / 2, last - first), 1)
    boxes /= boxes.new_tensor([size[1], size[0]] * 2)
    masks = boxes.new_zeros(len(boxes), *size, dtype=torch.bool)
    if len(boxes):
        height, width = data['masks'].shape[1:]
        masks[:, :height, :width] = data['masks'].bool()
    labels = data.get('classes', boxes.new_zeros(len(boxes)))
    return Targets(labels.long(), masks, boxes)


def make_targets(
    case: Case, head: PanopticFCNHead, level_sizes: list
) -> PanopticFCNTargets:
    size = tuple(case.entry['padded_shape'])
    targets, regions, sizes = [], [], []
    while f'in/img{len(regions)}/sem_seg' in case:
        sem_seg = case.tensor(f'in/img{len(regions)}/sem_seg')
        targets.append(_image_targets(case, len(regions), size))
        region = torch.full(size, -1, device=case.device)
        height, width = sem_seg.shape
        sizes.append((height, width))
        region[:height, :width] = region_map(case, sem_seg)
        regions.append(region)
    head.target_generator.unpadded_masks = True
    return head.target_generator.generate(
        targets, torch.stack(regions), level_sizes, image_sizes=sizes
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
