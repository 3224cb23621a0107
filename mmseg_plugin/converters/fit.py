"""Which weights of a file a model of another shape can start from."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

# What decides the shape of a parameter, by a part of its name.
_CAUSES = {
    'cls_embed': 'classes',
    'fc_cls': 'classes',
    'conv_logits': 'classes',
    'conv_seg': 'classes',
    'label_embedding': 'classes',
    'query_embed': 'queries',
    'query_feat': 'queries',
    'level_e': 'levels',
    'sampling_offsets': 'levels, heads or points of the attention',
    'attention_weights': 'levels, heads or points of the attention',
    'mask_embed': 'mask channels',
    'mask_feature': 'mask channels',
}


class Fit(NamedTuple):
    """Result of :func:`fit`.

    Attributes:
        state: what carries over.
        fresh: (name in the model, why it is initialised again).
        unused: names in the file for which the model has no place.
    """

    state: dict[str, Tensor]
    fresh: list[tuple[str, str]]
    unused: list[str]


def fit(state: Mapping[str, Tensor], model: Mapping[str, Tensor]) -> Fit:
    """Keeps the weights that a model can load.

    Args:
        state: state dict of a file.
        model: state dict of the model.
    """
    result = Fit({}, [], [key for key in state if key not in model])
    for key, wanted in model.items():
        if key not in state:
            result.fresh.append((key, 'not in the file'))
        elif state[key].shape != wanted.shape:
            result.fresh.append((key, _why(key, state[key], wanted)))
        else:
            result.state[key] = state[key]
    return result


def named_for(
    state: Mapping[str, Tensor], model: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Names of a head in mmseg's ``EncoderDecoder``, if the model is one.

    Args:
        state: of a file; a query head is ``panoptic_head`` in mmdet's models
            and ``decode_head`` in mmseg's own.
        model: state dict of the model; ours have a level more.
    """
    inner = 'decode_head.head.'
    wanted, there = (
        any(key.startswith(inner) for key in names) for names in (model, state)
    )
    if there or not wanted:
        return dict(state)
    renamed = {}
    for key, value in state.items():
        head, _, rest = key.partition('.')
        is_head = head in ('panoptic_head', 'decode_head')
        renamed[inner + rest if is_head else key] = value
    return renamed


def _why(key: str, found: Tensor, wanted: Tensor) -> str:
    shapes = f'{tuple(found.shape)} in the file, {tuple(wanted.shape)} here'
    causes = [cause for part, cause in _CAUSES.items() if part in key]
    return f'other {causes[0]}: {shapes}' if causes else shapes
