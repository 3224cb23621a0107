"""Renames the keys of a checkpoint by a two-sided table, strictly.

A rule is a pair of patterns, one for each side. ``{i}``, ``{j}`` stand for
a number, ``{p}`` for the rest of a key; a pattern's parts are filled in on
the other side, so every rule reads both ways.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

SIDES = ('d2', 'mmdet')


class Transform(NamedTuple):
    """What happens to the values under a rule, one function a direction."""

    to_mmdet: Callable[[Tensor], Tensor]
    to_d2: Callable[[Tensor], Tensor]


class Rule(NamedTuple):
    """One line of a key table.

    Attributes:
        d2: pattern of the official (detectron2) name.
        mmdet: pattern of mmdet's name.
        optional: a model may have no such key.
        transform: for values that are laid out differently.
    """

    d2: str
    mmdet: str
    optional: bool = False
    transform: Transform | None = None


class Table(NamedTuple):
    """Key table of one kind of model.

    Attributes:
        rules: every key that carries over.
        dropped: side to {pattern: reason} of keys without a counterpart.
        made: official entries from the finished official state, for what
            mmdet's file does not hold.
        tied: official pattern to the official name that holds the same
            parameter; copies are left out, and ``made`` has to give them.
    """

    rules: tuple[Rule, ...]
    dropped: Mapping[str, Mapping[str, str]]
    made: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None
    tied: Mapping[str, str] = MappingProxyType({})


class Conversion(NamedTuple):
    """Result of :func:`convert`.

    Attributes:
        state: new name to value.
        renamed: (old name, new name), in the file's order.
        dropped: (old name, reason).
        made: new names without a counterpart in the file.
    """

    state: dict[str, Tensor]
    renamed: list[tuple[str, str]]
    dropped: list[tuple[str, str]]
    made: list[str]


@cache
def _regex(pattern: str) -> re.Pattern:
    text = re.escape(pattern)
    text = re.sub(r'\\{([ij])\\}', r'(?P<\1>\\d+)', text)
    return re.compile(text.replace(r'\{p\}', '(?P<p>.+)'))


def _dropped(
    key: str, state: Mapping[str, Tensor], table: Table, source: str
) -> str | None:
    """Why a key does not carry over, None if it does."""
    for pattern, reason in table.dropped.get(source, {}).items():
        if _regex(pattern).fullmatch(key):
            return reason
    for copy, pattern in table.tied.items() if source == 'd2' else ():
        match = _regex(copy).fullmatch(key)
        if match:
            original = pattern.format(**match.groupdict())
            if original not in state:
                raise ValueError(f'{key} is a copy of {original}: missing')
            if not torch.equal(state[key], state[original]):
                raise ValueError(f'{key} and {original} must be equal')
            return f'the same as {original}'
    return None


def _rename(
    key: str, rules: Iterable[Rule], source: str, target: str
) -> tuple[Rule, str] | None:
    for rule in rules:
        match = _regex(getattr(rule, source)).fullmatch(key)
        if match:
            return rule, getattr(rule, target).format(**match.groupdict())
    return None


def unknown_keys(
    state: Mapping[str, Tensor], table: Table, source: str
) -> list[str]:
    """Names that no line of the table covers.

    Args:
        state: state dict of the side ``source``.
        table: key table.
        source: one of :data:`SIDES`.
    """
    return [
        key
        for key in state
        if not _dropped(key, state, table, source)
        and not _rename(key, table.rules, source, source)
    ]


def _refuse(problem: str, keys: list[str]) -> None:
    if keys:
        more = f' and {len(keys) - 5} more' if len(keys) > 5 else ''
        raise ValueError(f'{problem}: {", ".join(keys[:5])}{more}')


def convert(
    state: Mapping[str, Tensor], table: Table, target: str
) -> Conversion:
    """Carries a state dict over to the other side.

    Args:
        state: state dict of the side that ``target`` is not.
        table: key table.
        target: one of :data:`SIDES`.

    Raises:
        ValueError: a key is not in the table, two keys get the same name,
            tied parameters differ, or a rule that is not optional matches
            no key.
    """
    source = SIDES[1 - SIDES.index(target)]
    result = Conversion({}, [], [], [])
    unknown = []
    unused = {rule for rule in table.rules if not rule.optional}
    for key, value in state.items():
        reason = _dropped(key, state, table, source)
        if reason:
            result.dropped.append((key, reason))
            continue
        found = _rename(key, table.rules, source, target)
        if found is None:
            unknown.append(key)
            continue
        rule, name = found
        unused.discard(rule)
        if name in result.state:
            raise ValueError(f'two keys become {name}, one of them {key}')
        if rule.transform:
            value = getattr(rule.transform, f'to_{target}')(value)
        result.state[name] = value
        result.renamed.append((key, name))
    _refuse(f'keys that are no {source} names of this model', unknown)
    unused_patterns = [
        getattr(rule, source) for rule in table.rules if rule in unused
    ]
    _refuse('no key of the file matches', unused_patterns)
    if target == 'd2' and table.made:
        made = table.made(result.state)
        result.state.update(made)
        result.made.extend(made)
    return result


def empty_weight(num_classes: int) -> dict[str, Tensor]:
    """The class weights that official criteria keep as a buffer.

    Args:
        num_classes: K, without no-object.
    """
    weight = torch.ones(num_classes + 1)
    weight[-1] = 0.1
    return {'criterion.empty_weight': weight}
