"""Weights of mmdet's DINO under the names of Mask DINO."""

import re
from collections.abc import Mapping

from torch import Tensor

_HEAD = 'panoptic_head.'
_ENCODER = f'{_HEAD}pixel_decoder.encoder.'
_DECODER = f'{_HEAD}transformer_decoder.'
_LEVELS = f'{_HEAD}pixel_decoder.level_encoding.weight'
_NUM_POINTS = 4


def is_dino(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is that of mmdet's DINO."""
    return (
        'memory_trans_fc.weight' in state
        and 'bbox_head.cls_branches.0.weight' in state
    )


def from_dino(
    state: Mapping[str, Tensor], feature_order: str
) -> dict[str, Tensor]:
    """Renames what Mask DINO shares with DINO.

    Mask DINO's one class and one box head are those of DINO's last decoder
    layer. Where it has the levels the other way round, so are the weights of
    each level. The rest, learnt queries and the heads of other layers, keeps
    its name. What carries over is a start, not the same model: mmdet's DINO
    encodes positions at a temperature of 20, Mask DINO at 10000.

    Args:
        state: of mmdet's DINO, with four points for each level.
        feature_order: of the :class:`MaskDINOEncoder`.
    """
    names = _names(state, lowest_first=feature_order == 'high2low')
    renamed = {}
    for key, value in state.items():
        for pattern, name in names:
            new, found = re.subn(f'^{pattern}', name, key)
            if found:
                key = new
                break
        renamed[key] = value
    turned = _DECODER
    if feature_order == 'high2low':
        turned = _ENCODER
        renamed[_LEVELS] = renamed[_LEVELS].flip(0)
    levels = len(state['level_embed'])
    for key, value in renamed.items():
        if key.startswith(turned):
            renamed[key] = _other_way_round(key, value, levels)
    return renamed


def _names(
    state: Mapping[str, Tensor], lowest_first: bool
) -> list[tuple[str, str]]:
    """Patterns of the beginnings of names, and what takes their place."""
    branches = {
        key.split('.')[2] for key in state if 'bbox_head.cls_branches' in key
    }
    # Behind the decoder's layers comes the branch of the encoder.
    last = len(branches) - 2
    laterals = sum(
        bool(re.fullmatch(r'neck\.convs\.\d+\.conv\.weight', key))
        for key in state
    )
    convs = list(range(laterals))
    order = convs[::-1] if lowest_first else convs
    return [
        (r'encoder\.', _ENCODER),
        (r'decoder\.', _DECODER),
        (r'memory_trans_', f'{_HEAD}query_selection.memory_trans_'),
        (r'dn_query_generator\.', f'{_HEAD}dn_query_generator.'),
        (r'level_embed$', _LEVELS),
        (rf'bbox_head\.cls_branches\.{last}\.', f'{_HEAD}cls_embed.'),
        *(
            (
                rf'bbox_head\.reg_branches\.{last}\.{2 * i}\.',
                f'{_HEAD}bbox_embed.layers.{i}.',
            )
            for i in range(3)
        ),
        *(
            (
                rf'neck\.convs\.{i}\.',
                f'{_HEAD}pixel_decoder.input_convs.{order[i]}.',
            )
            for i in convs
        ),
        (
            r'neck\.extra_convs\.0\.',
            f'{_HEAD}pixel_decoder.input_convs.{laterals}.',
        ),
    ]


def _other_way_round(key: str, value: Tensor, levels: int) -> Tensor:
    """Weights of deformable attention for the levels in reverse."""
    numbers = {'sampling_offsets': 2, 'attention_weights': 1}
    for part, count in numbers.items():
        if f'cross_attn.{part}' in key or f'self_attn.{part}' in key:
            heads = value.unflatten(0, (-1, levels, _NUM_POINTS * count))
            return heads.flip(1).flatten(0, 2)
    return value
