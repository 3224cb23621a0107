"""Attention as transformers stores it: queries, keys and values apart."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# Pattern of a part, the order of the parts, and the name of the whole.
_KINDS = (
    (
        re.compile(
            r'(?P<at>.+\.(self_attn|encoder_attn)\.)'
            r'(?P<part>[qkv])_proj\.(?P<kind>weight|bias)'
        ),
        '{at}{part}_proj.{kind}',
        'qkv',
        '{at}in_proj_{kind}',
    ),
    (
        re.compile(
            r'(?P<at>.+\.attention\.self\.)'
            r'(?P<part>query|key|value)\.(?P<kind>weight|bias)'
        ),
        '{at}{part}.{kind}',
        ('query', 'key', 'value'),
        '{at}qkv.{kind}',
    ),
)
_WHOLE = (
    re.compile(
        r'(?P<at>.+\.(self_attn|encoder_attn)\.)'
        r'in_proj_(?P<kind>weight|bias)'
    ),
    re.compile(r'(?P<at>.+\.attention\.self\.)qkv\.(?P<kind>weight|bias)'),
)


def join_attention(
    state: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """Stacks query, key and value projections.

    Args:
        state: with names of transformers.

    Returns:
        The state with one entry for each three, and the three names of each
        such entry.

    Raises:
        ValueError: one of three is missing.
    """
    joined: dict[str, Tensor] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for key, value in state.items():
        for pattern, one, order, whole in _KINDS:
            match = pattern.fullmatch(key)
            if match is None:
                continue
            at, kind = match['at'], match['kind']
            names = tuple(
                one.format(at=at, part=part, kind=kind) for part in order
            )
            missing = [name for name in names if name not in state]
            if missing:
                raise ValueError(f'{missing[0]} is missing')
            name = whole.format(at=at, kind=kind)
            if name not in joined:
                joined[name] = torch.cat([state[part] for part in names])
                parts[name] = names
            break
        else:
            joined[key] = value
    return joined, parts


def split_attention(
    state: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """The inverse of :func:`join_attention`."""
    split: dict[str, Tensor] = {}
    parts: dict[str, tuple[str, ...]] = {}
    for key, value in state.items():
        for pattern, (_, one, order, _) in zip(_WHOLE, _KINDS, strict=True):
            match = pattern.fullmatch(key)
            if match is None:
                continue
            names = tuple(
                one.format(at=match['at'], part=part, kind=match['kind'])
                for part in order
            )
            # safetensors refuses tensors that share memory.
            chunks = (chunk.clone() for chunk in value.chunk(3))
            split.update(zip(names, chunks, strict=True))
            parts[key] = names
            break
        else:
            split[key] = value
    return split, parts


def add_window_indices(state: dict[str, Tensor]) -> None:
    """Adds Swin's ``relative_position_index`` where a file leaves it out.

    Args:
        state: changed in place; a table of (2 W - 1)^2 rows is one of
            windows of W x W, whose index is (W^2, W^2): row y, column x.
    """
    name = 'relative_position_bias_table'
    for key in [key for key in state if key.endswith(name)]:
        index = key.replace('bias_table', 'index')
        if index not in state:
            size = (round(len(state[key]) ** 0.5) + 1) // 2
            state[index] = _window_index(size)


def _window_index(size: int) -> Tensor:
    at = torch.stack(
        torch.meshgrid(torch.arange(size), torch.arange(size), indexing='ij')
    ).flatten(1)
    offset = at[:, :, None] - at[:, None, :] + size - 1
    return offset[0] * (2 * size - 1) + offset[1]
