"""Mask DINO: parts, head and denoising."""

import re

import numpy as np
import torch
from mmdet.models.layers import (
    SinePositionalEncoding,
    coordinate_to_encoding,
    inverse_sigmoid,
)
from torch import Tensor

from mmseg_plugin.models.dense_heads import MaskDINOHead
from mmseg_plugin.models.layers.deformable_attention import (
    DeformableAttention,
    level_geometry,
)
from mmseg_plugin.models.layers.denoising import (
    DenoisingQueries,
    NoiseDraws,
)
from mmseg_plugin.models.layers.mask_dino_queries import (
    boxes_from_masks,
    encoder_proposals,
)
from mmseg_plugin.models.losses import QueryFocalLoss
from mmseg_plugin.structures import (
    MaskLogits,
    Matches,
    QueryPredictions,
    Targets,
    generalized_iou,
)
from tests.golden import Case, runner
from tests.golden.heads import gradients, load_official, probe


def _head(case: Case) -> MaskDINOHead:
    config = case.config
    num_levels = len(config['in_features'])
    return MaskDINOHead(
        in_channels=[level.shape[1] for level in _levels(case)],
        feat_channels=config['hidden'],
        out_channels=config['mask_dim'],
        num_things_classes=config['K'],
        num_stuff_classes=0,
        num_queries=config['Q'],
        use_sigmoid=not config['semantic_ce'],
        two_stage=config['two_stage'],
        learn_query_feat=config['learn_tgt'],
        initialize_box_type=config['box_init'],
        initial_pred=config['initial_pred'],
        denoising={
            'num_queries': config['dn_num'],
            'label_noise': config['noise_scale'] / 2,
            'box_noise': config['noise_scale'],
            'crowd_policy': 'published',
        },
        pixel_decoder={
            'type': 'mmseg_plugin.MaskDINOEncoder',
            'num_encoder_levels': num_levels,
            'num_extra_levels': config['total_levels'] - num_levels,
            'feature_order': config['order'],
            'num_layers': config['enc_layers'],
            'num_heads': config['enc_heads'],
            'feedforward_channels': config['enc_ffn'],
        },
        transformer_decoder={
            'num_layers': config['dec_layers'],
            'num_heads': config['dec_heads'],
            'feedforward_channels': config['dec_ffn'],
        },
    )


def _levels(case: Case) -> list[Tensor]:
    return [case.tensor(f'in/res{level}') for level in range(2, 6)]


def mask_dino_targets(case: Case) -> list[Targets]:
    return [
        Targets(
            case.tensor(f'target/{i}/labels').long(),
            case.tensor(f'target/{i}/masks').bool(),
            case.tensor(f'target/{i}/boxes').float(),
        )
        for i in range(int(case['target/num']))
    ]


def _named(predictions: QueryPredictions, has_interm: bool) -> dict:
    """Predictions of each layer under their published paths."""
    names = [f'aux_{i}/' for i in range(len(predictions.cls_logits))]
    if has_interm:
        names = ['interm/', *names[:-1]]
    names[-1] = ''
    named = {}
    for name, logits, masks, boxes in zip(
        names,
        predictions.cls_logits,
        predictions.masks.dense(),
        predictions.boxes,
        strict=True,
    ):
        named[f'{name}pred_logits'] = logits
        named[f'{name}pred_masks'] = masks
        named[f'{name}pred_boxes'] = boxes
    return named


def _with_tied(case: Case, names: dict[str, str]) -> dict[str, str]:
    """Adds the official names that are copies of others."""
    boxes = r'(decoder\.)?bbox_embed\.\d+\.'
    official = {
        key.split('/', 2)[2]
        for key in case.arrays
        if key.startswith(('grad/norm/', 'grad/none/'))
    }
    originals = {
        key: re.sub(boxes, '_bbox_embed.', key).replace(
            'predictor.decoder.norm.', 'predictor.decoder_norm.'
        )
        for key in official - set(names)
    }
    return names | {key: names[name] for key, name in originals.items()}


def _prefixed(prefix: str, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f'{prefix}/{k}': value for k, value in outputs.items()} | {
        f'{prefix}/{k}_s2': value[..., ::2, ::2]
        for k, value in outputs.items()
        if k.endswith('masks')
    }


@runner('maskdino_head')
def run_head(case: Case) -> dict:
    model = _head(case)
    names = load_official(case, model, 'maskdino')
    two_stage = case.config['two_stage']
    got = {}
    for mode in ('eval', 'train'):
        model.train(mode == 'train')
        matching = model(_levels(case), None).matching
        outputs = _named(matching, two_stage)
        got |= _prefixed(f'out/{mode}', outputs)
    scalar = probe(outputs)
    scalar.backward()
    got['out/train/probe_scalar'] = scalar
    return got | gradients(model, _with_tied(case, names))


def _draws(case: Case, count: int) -> NoiseDraws | None:
    if 'in/rand/0_rand_like' not in case:
        return None
    flip = case.tensor('in/rand/0_rand_like')
    labels = torch.zeros_like(flip, dtype=torch.long)
    flipped = flip < case.config['noise_scale'] / 2
    labels[flipped] = case.tensor('in/rand/1_randint_like')
    return NoiseDraws(flip, labels, case.tensor('in/rand/2_rand_like'))


@runner('maskdino_dn')
def run_denoising(case: Case) -> dict:
    model, targets = _head(case), mask_dino_targets(case)
    names = load_official(case, model, 'maskdino')
    counts = [len(target.labels) for target in targets]
    groups = case.config['dn_num'] // max(*counts, 1)
    draws = _draws(case, sum(counts) * groups)

    noise = model.denoising_queries(targets, draws)
    matching, denoised, _ = model(_levels(case), None, noise)
    outputs = _named(matching, case.config['two_stage'])
    got = _prefixed('out/train', outputs)
    # As published, the labels' embedding has a gradient in any case.
    embedding = model.dn_query_generator.label_embedding.weight
    scalar = probe(outputs) + 0 * embedding.sum()
    if noise is not None:
        outputs = _named(denoised, False)
        got |= _prefixed('out/dn_pred', outputs)
        scalar = scalar + probe(outputs)
        got |= _noise_parts(model, targets, noise, draws)
    scalar.backward()
    got['out/train/probe_scalar'] = scalar
    return got | gradients(model, _with_tied(case, names))


def _noise_parts(
    model: MaskDINOHead,
    targets: list[Targets],
    noise: DenoisingQueries,
    draws: NoiseDraws | None,
) -> dict:
    """The noisy queries and their bookkeeping under published names."""
    labels = torch.cat([target.labels for target in targets])
    boxes = torch.cat([target.boxes for target in targets])
    labels = labels.repeat(noise.num_groups)
    boxes = boxes.repeat(noise.num_groups, 1)
    generator = model.dn_query_generator
    noisy = generator.add_noise(labels, boxes, draws or generator.draw(labels))
    counts = [len(target.labels) for target in targets]
    images = [np.full(count, i) for i, count in enumerate(counts)]
    parts = {
        'attn_mask': noise.attn_mask(model.num_queries),
        'input_query_label': noise.content,
        'input_query_bbox': noise.box_logits,
        'noised_labels': noisy[0],
        'noised_boxes': noisy[1],
        'pad_size': noise.content.shape[1],
        'scalar': noise.num_groups,
        'known_indice': np.tile(np.arange(sum(counts)), noise.num_groups),
        'batch_idx': np.concatenate(images),
        'map_known_indice': torch.cat(noise.queries).T.flatten(),
        'known_labels': labels,
        'known_boxes': boxes,
    }
    for i, queries in enumerate(noise.queries):
        parts[f'know_idx_{i}'] = queries[:, :1]
    return {f'out/dn/{key}': value for key, value in parts.items()}


@runner('maskdino_utils')
def run_parts(case: Case) -> dict:
    parts = {
        'in/sine/pos4': _sines,
        'in/prop/memory': _proposals,
        'in/inv/x': _inverse_sigmoids,
        'in/masks': _mask_boxes,
        'in/giou/a': _overlaps,
        'in/focal/logits': _focal,
        'in/msda/value': _attend,
        'in/pe/shape': _positions,
    }
    got: dict = {}
    for key, part in parts.items():
        if key in case:
            got |= part(case)
    return got


def _sines(case: Case) -> dict[str, Tensor]:
    positions = case.tensor('in/sine/pos4')
    return {
        f'out/sine/pos{n}': coordinate_to_encoding(positions[..., :n])
        for n in (2, 4)
    }


def _proposals(case: Case) -> dict[str, Tensor]:
    sizes = [tuple(size) for size in case['in/prop/spatial_shapes'].tolist()]
    memory, proposals = encoder_proposals(case.tensor('in/prop/memory'), sizes)
    proposals = proposals.expand(len(memory), -1, -1)
    return {
        'out/prop/output_memory': memory,
        'out/prop/output_proposals': proposals,
    }


def _inverse_sigmoids(case: Case) -> dict[str, Tensor]:
    return {'out/inv/x': inverse_sigmoid(case.tensor('in/inv/x'), eps=1e-5)}


def _overlaps(case: Case) -> dict[str, Tensor]:
    first, second = case.tensor('in/giou/a'), case.tensor('in/giou/b')
    return {'out/giou': generalized_iou(first[:, None], second)}


def _positions(case: Case) -> dict[str, Tensor]:
    """Encodings with as many features as the names of the results say."""
    shape = case['in/pe/shape'].tolist()
    empty = torch.zeros(shape[0], *shape[2:], device=case.device)
    return {
        key: SinePositionalEncoding(
            int(key[len('out/pe/n') :]), normalize=True
        )(empty)
        for key in case.arrays
        if key.startswith('out/pe/n')
    }


def _mask_boxes(case: Case) -> dict[str, Tensor]:
    """Boxes of masks, in pixels and as the decoder's first references."""
    masks = case.tensor('in/masks').float()
    rows = torch.eye(len(masks), device=case.device)
    signed = MaskLogits(rows[None], (2 * masks - 1)[None])
    height, width = signed.size
    got = {}
    for kind in ('mask2box', 'bitmask'):
        boxes = boxes_from_masks(signed, kind)[0]
        centre, extent = boxes.split(2, -1)
        corners = torch.cat((centre - extent / 2, centre + extent / 2), -1)
        scale = corners.new_tensor([width, height] * 2)
        got[f'out/{kind}_xyxy'] = corners * scale
        got[f'out/{kind}_refpoint_unsigmoid'] = inverse_sigmoid(boxes, 1e-5)
    return got


def _focal(case: Case) -> dict[str, Tensor]:
    """Each element as a query of one class, since targets are multi-hot."""
    logits = case.tensor('in/focal/logits')
    present = case.tensor('in/focal/targets').flatten() > 0
    query = present.nonzero()[:, 0]
    matches = Matches.fixed([query[:, None]], 1)
    target = Targets.without_masks(torch.zeros_like(query))
    loss = QueryFocalLoss(1)(
        logits.reshape(1, 1, -1, 1), [target], matches, 3 * len(logits)
    )
    return {'out/focal': loss[0]}


def _attend(case: Case) -> dict[str, Tensor]:
    return {
        f'out/msda/{kind}': _attention(case, kind) for kind in ('ref2', 'ref4')
    }


def _attention(case: Case, kind: str) -> Tensor:
    value = case.tensor('in/msda/value')
    reference = case.tensor(f'in/msda/{kind}')
    state = case.group('state/msda.')
    num_levels, num_points = reference.shape[2], 4
    heads = len(state['attention_weights.bias']) // (num_levels * num_points)
    attention = DeformableAttention(
        value.shape[-1], heads, num_levels, num_points, batch_first=True
    )
    attention.to(case.device).load_state_dict(state)
    if 'in/msda/spatial_shapes' in case:
        sizes = [tuple(x) for x in case['in/msda/spatial_shapes'].tolist()]
    else:
        sizes = _pyramid(value.shape[1], num_levels)
    shapes, starts = level_geometry(sizes, value.device)
    query = case.tensor('in/msda/query')
    return attention.eval()(
        query,
        value=value,
        identity=torch.zeros_like(query),
        reference_points=reference,
        spatial_shapes=shapes,
        level_start_index=starts,
    )


def _pyramid(length: int, num_levels: int) -> list[tuple[int, int]]:
    """Level sizes, which the case does not hold, from their total length.

    Each level doubles the one before; of several, the one whose widths are
    nearest to 1.5 times the heights.
    """
    found = []
    for height in range(1, length + 1):
        for width in range(1, length // height + 1):
            sizes = [(height, width)]
            while len(sizes) < num_levels:
                sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
            if sum(h * w for h, w in sizes) == length:
                found.append(sizes[::-1])
    if not found:
        raise ValueError(f'no pyramid has {length} pixels')
    return min(found, key=lambda sizes: abs(sizes[-1][1] / sizes[-1][0] - 1.5))
