"""A state dict of any side as another side has it, through the official."""

from collections.abc import Mapping

from torch import Tensor

from mmseg_plugin.converters.attention import (
    add_window_indices,
    join_attention,
    split_attention,
)
from mmseg_plugin.converters.hugging_face import HF_METHODS
from mmseg_plugin.converters.rules import (
    SIDES,
    Conversion,
    convert,
    unknown_keys,
)
from mmseg_plugin.converters.tables import choose_table, current_names


def carry_over(
    method: str, state: Mapping[str, Tensor], source: str, target: str
) -> Conversion:
    """Converts in one or two strict steps.

    Args:
        method: key of ``METHODS``.
        state: state dict of the side ``source``.
        source: one of :data:`SIDES`.
        target: another of them.

    Raises:
        ValueError: the method has no table of transformers, or see
            :func:`convert`.
    """
    if 'hf' in (source, target) and method not in HF_METHODS:
        raise ValueError(f'transformers has no {method}')
    if SIDES.index(source) > SIDES.index(target):
        return _downwards(method, state, source, target)
    if source == 'd2':
        official = current_names(state)
        return convert(official, choose_table(method, official, 'd2'), target)
    joined, parts = join_attention(state)
    add_window_indices(joined)
    first = _named_parts(
        convert(joined, HF_METHODS[method], 'd2'), parts, state
    )
    if target == 'd2':
        return first
    table = choose_table(method, first.state, 'd2')
    return _chained(first, convert(first.state, table, target))


def _downwards(
    method: str, state: Mapping[str, Tensor], source: str, target: str
) -> Conversion:
    """From mmdet to the official code, from there to transformers."""
    first = None
    if source == 'mmdet':
        table = choose_table(method, state, 'mmdet')
        _check_backbone(unknown_keys(state, table, 'mmdet'), target)
        first = convert(state, table, 'd2')
        if target == 'd2':
            return first
    official = first.state if first else current_names(state)
    # transformers' MaskFormer has no pixel decoder with an encoder: its keys
    # are refused here.
    second = convert(official, HF_METHODS[method], 'hf')
    split, parts = split_attention(second.state)
    renamed = [
        (old, part)
        for old, new in second.renamed
        for part in parts.get(new, (new,))
    ]
    second = second._replace(state=split, renamed=renamed)
    return _chained(first, second) if first else second


def _check_backbone(unknown: list[str], target: str) -> None:
    others = [key for key in unknown if key.startswith('backbone.')]
    if others:
        owner = {'hf': 'transformers', 'd2': 'the official code'}[target]
        raise ValueError(
            f'{owner} has it with a ResNet or a Swin alone, and {others[0]} '
            'is of another backbone; train a model with one of these, or give '
            'this one away as ONNX (mmseg-plugin export)'
        )


def _named_parts(
    conversion: Conversion,
    parts: Mapping[str, tuple[str, ...]],
    file: Mapping[str, Tensor],
) -> Conversion:
    """With the names of the file in place of those of joined entries."""
    renamed: list[tuple[str, str]] = []
    made = list(conversion.made)
    for old, new in conversion.renamed:
        if old in file or old in parts:
            renamed.extend((part, new) for part in parts.get(old, (old,)))
        else:
            made.append(new)
    return conversion._replace(renamed=renamed, made=made)


def _chained(first: Conversion, second: Conversion) -> Conversion:
    """What became of the keys of the first step's file after the second."""
    became: dict[str, list[str]] = {}
    for old, new in second.renamed:
        became.setdefault(old, []).append(new)
    why = dict(second.dropped)
    return Conversion(
        second.state,
        [
            (old, new)
            for old, middle in first.renamed
            for new in became.get(middle, ())
        ],
        [
            *first.dropped,
            *((old, why[mid]) for old, mid in first.renamed if mid in why),
        ],
        [
            *second.made,
            *(new for mid in first.made for new in became.get(mid, ())),
        ],
    )
