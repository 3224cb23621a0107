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

# Hugging Face's transformers, the official code (detectron2), mmdet: a table
# lies between two neighbours.
SIDES = ('hf', 'd2', 'mmdet')


class Transform(NamedTuple):
    """What happens to the values under a rule, one function a direction.

    Attributes:
        forth: from the first side of the table to the second.
        back: the inverse.
    """

    forth: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


class Rule(NamedTuple):
    """One line of a key table.

    Attributes:
        first: pattern of the name on the table's first side.
        second: pattern of the name on its second side.
        optional: a model may have no such key.
        transform: for values that are laid out differently.
    """

    first: str
    second: str
    optional: bool = False
    transform: Transform | None = None

    def pattern(self, side: int) -> str:
        """Of the first side (0) or of the second (1)."""
        return self.second if side else self.first


class Table(NamedTuple):
    """Key table of one kind of model.

    Attributes:
        rules: every key that carries over.
        dropped: side to {pattern: reason} of keys without a counterpart.
        made: entries of the first side from its finished state, for what
            files of the second side do not hold.
        tied: pattern of the first side to the name there that holds the
            same parameter; copies are left out, and ``made`` has to give
            them.
        sides: what the two sides are called, see :data:`SIDES`.
    """

    rules: tuple[Rule, ...]
    dropped: Mapping[str, Mapping[str, str]]
    made: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None
    tied: Mapping[str, str] = MappingProxyType({})
    sides: tuple[str, str] = ('d2', 'mmdet')


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
    for copy, pattern in (
        table.tied.items() if source == table.sides[0] else ()
    ):
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
    key: str, rules: Iterable[Rule], source: int
) -> tuple[Rule, str] | None:
    """The rule for a key of side 0 or 1, and the other side's name."""
    for rule in rules:
        match = _regex(rule.pattern(source)).fullmatch(key)
        if match:
            return rule, rule.pattern(1 - source).format(**match.groupdict())
    return None


def unknown_keys(
    state: Mapping[str, Tensor], table: Table, source: str
) -> list[str]:
    """Names that no line of the table covers.

    Args:
        state: state dict of the side ``source``.
        table: key table.
        source: one of the table's sides.
    """
    side = table.sides.index(source)
    return [
        key
        for key in state
        if not _dropped(key, state, table, source)
        and not _rename(key, table.rules, side)
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
        target: one of the table's sides.

    Raises:
        ValueError: a key is not in the table, two keys get the same name,
            tied parameters differ, or a rule that is not optional matches
            no key.
    """
    side = 1 - table.sides.index(target)
    source = table.sides[side]
    result = Conversion({}, [], [], [])
    unknown = []
    unused = {rule for rule in table.rules if not rule.optional}
    for key, value in state.items():
        reason = _dropped(key, state, table, source)
        if reason:
            result.dropped.append((key, reason))
            continue
        found = _rename(key, table.rules, side)
        if found is None:
            unknown.append(key)
            continue
        rule, name = found
        unused.discard(rule)
        if name in result.state:
            raise ValueError(f'two keys become {name}, one of them {key}')
        if rule.transform:
            value = rule.transform[side](value)
        result.state[name] = value
        result.renamed.append((key, name))
    _refuse(f'keys that are no {source} names of this model', unknown)
    unused_patterns = [
        rule.pattern(side) for rule in table.rules if rule in unused
    ]
    _refuse('no key of the file matches', unused_patterns)
    if side == 1 and table.made:
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
