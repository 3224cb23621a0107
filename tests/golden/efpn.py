"""Runners for the published EFPN."""

import torch
from torch import Tensor

from mmseg_plugin.models.layers.feature_texture_transfer import (
    FeatureTextureTransfer,
)
from mmseg_plugin.models.losses import ForegroundBackgroundBalancedLoss
from mmseg_plugin.models.losses.foreground_background_balanced_loss import (
    positive_patch_loss,
    positive_patches,
)
from mmseg_plugin.models.necks import EFPN
from mmseg_plugin.models.necks.efpn import PyramidExtension
from mmseg_plugin.models.roi_heads import EFPNRoIExtractor
from tests.golden import Case, runner

RENAMED = {
    'Extension.': 'extension.',
    'FTT.': 'ftt.',
    'content_extractor.': '',
    'texture_extractor.': '',
    'conv_block.0': 'conv1',
    'conv_block.2': 'conv2',
    'conv_lateral': 'lateral_conv',
    'post.': 'fpn_conv.',
}


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Published names to ours, of everything but the FPN."""
    got = {}
    for key, value in state.items():
        for old, new in RENAMED.items():
            key = key.replace(old, new)
        got[key] = value
    return got


def _transfer_options(config: dict) -> dict:
    return {
        'hidden_channels': config['ngf'],
        'num_content_blocks': config.get('n_blocks_content', 1),
        'num_texture_blocks': config.get('n_blocks_texture', 2),
    }


@runner('efpn_ftt')
def run_ftt(case: Case) -> dict:
    ftt = FeatureTextureTransfer(
        case.config['channels'], **_transfer_options(case.config)
    ).to(case.device)
    ftt.load_state_dict(_renamed(case.group('state/')))
    coarse = case.tensor('in/fpn_inner3')
    fine = case.tensor('in/fpn_inner2')
    content = ftt.extract_content(coarse)
    content_up = ftt.sub_pixel(content)
    return {
        'out/content': content,
        'out/content_up': content_up,
        'out/texture': ftt.extract_texture(content_up, fine),
        'out/ftt': ftt(coarse, fine),
    }


@runner('efpn_extension')
def run_extension(case: Case) -> dict:
    inputs = [
        case.tensor(f'in/{name}')
        for name in ('fpn_inner3', 'fpn_inner2', 'C1_2')
    ]
    extension = PyramidExtension(
        case.config['channels'],
        inputs[2].size(1),
        **_transfer_options(case.config),
    ).to(case.device)
    extension.load_state_dict(_renamed(case.group('state/')))
    p3, p2 = extension(*inputs)
    return {'out/P3_sr': p3, 'out/P2_sr': p2}


def _fpn_key(key: str, num_levels: int) -> str:
    """Our name; the published lists are from coarse to fine."""
    parts = key.split('.')
    if parts[1] == 'conv_top':
        return f'lateral_convs.{num_levels - 1}.conv.{parts[-1]}'
    level = num_levels - 1 - int(parts[2])
    if parts[1] == 'posthoc_modules':
        return f'fpn_convs.{level}.conv.{parts[-1]}'
    return f'lateral_convs.{level - 1}.conv.{parts[-1]}'


@runner('efpn_neck')
def run_neck(case: Case) -> dict:
    channels = case.config['dims_res5_to_res2'][::-1]
    num_levels = len(channels)
    neck = EFPN(
        channels,
        case.config['fpn_dim'],
        num_levels + 1,
        **_transfer_options(case.config),
    ).to(case.device)
    state = case.group('state/')
    fpn = {
        _fpn_key(key, num_levels): value
        for key, value in state.items()
        if key.startswith('Conv_Body.')
    }
    rest = {k: v for k, v in state.items() if k.startswith('Extension.')}
    neck.load_state_dict(fpn | _renamed(rest))
    levels = range(2, 2 + num_levels)
    inputs = [case.tensor(f'in/C{level}') for level in ('2p', *levels)]
    p2_extended, *outs = neck(inputs)
    p3_extended, _ = neck.extend(inputs)
    _, (inner3, inner2) = neck._pyramid(inputs[1:])
    return {
        'out/P2_sr': p2_extended,
        'out/P3_sr': p3_extended,
        'out/inner2': inner2,
        'out/inner3': inner3,
        **{f'out/P{level}': out for level, out in enumerate(outs, 2)},
    }


@runner(
    'efpn_losses',
    skip={'loss/*/info_*': 'for information: overlaps count once'},
)
def run_losses(case: Case) -> dict:
    pos_weight = case.config['lambda_']
    loss_module = ForegroundBackgroundBalancedLoss(pos_weight)
    rows = case.tensor('in/boxes')
    got: dict[str, Tensor] = {'loss/total': rows.new_zeros(())}
    for level, scale in case.config['scales'].items():
        pred = case.tensor(f'in/{level}/F', grad=True)
        target = case.tensor(f'in/{level}/Ft')
        bboxes = [rows[rows[:, 0] == i, 1:] for i in range(len(pred))]
        losses = loss_module(pred, target, bboxes, 1 / scale)
        total = sum(losses.values())
        total.backward()
        patches = positive_patches(bboxes, pred.shape[-2:], 1 / scale)
        pos = positive_patch_loss(pred, target, patches)
        got |= {
            f'loss/{level}/glob': losses['loss_global'],
            f'loss/{level}/pos': pos,
            f'loss/{level}/fbb_lambda{pos_weight:g}': total,
            f'loss/{level}/strict_pos_sum_over_channels': pos * pred.size(1),
            f'out/{level}/weight_map': patches[:, 0],
            f'out/{level}/grad_F': pred.grad,
            'loss/total': got['loss/total'] + total,
        }
    return got


@runner('efpn_roi_levels')
def run_roi_levels(case: Case) -> dict:
    config = case.config
    low, high = config['min'], config['max']
    finest = config['canonical_scale'] / 2 ** (config['canonical_level'] - low)
    extractor = EFPNRoIExtractor(
        roi_layer={'type': 'RoIAlign', 'output_size': 7},
        out_channels=1,
        featmap_strides=[2**level for level in range(low, high + 1)],
        finest_scale=2 * finest,
        train_scale=2 * finest,
        test_scale=(4 if 'COCO' in config['variant'] else 2) * finest,
    )
    # The published boxes include their last pixel.
    last = torch.tensor([0, 0, 0, 1, 1], device=case.device)
    rois = case.tensor('in/rois') + last
    level = extractor.train().map_roi_levels(rois, high - low + 1) + low
    extended = extractor.eval().is_extended(rois)
    # The published model computes the RoIs of P2' on their old level too.
    old_level = level.clamp(min=low + 1)
    rois = case.tensor('in/rois')
    indices = [extended.nonzero()[:, 0]]
    indices += [
        (old_level == k).nonzero()[:, 0] for k in range(low + 1, high + 1)
    ]
    order = torch.cat(
        [torch.arange(len(indices[0]), device=case.device)]
        + [index + len(indices[0]) for index in indices[1:]]
    )
    return {
        'out/level': level,
        'out/rois_all': torch.cat([rois[extended], rois]),
        'out/restore': order.argsort(),
        **{
            f'out/rois_fpn{k}': rois[index]
            for k, index in enumerate(indices, low)
        },
    }
