"""Refuses keys of ``--cfg-options`` that nothing would read."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mmseg_plugin.cli.arguments import nearest
from mmseg_plugin.cli.cli import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

# Read by mmdet's and mmseg's train tools, not by the runner.
_TOOL_KEYS = ('auto_scale_lr', 'tta_model', 'tta_pipeline', 'fp16')


def check_keys(config: Config, keys: Iterable[str]) -> None:
    """Checks dotted keys before MMEngine adds unknown ones in silence.

    A key passes if the config has it, or if what it belongs to takes it:
    the runner at the top, the class of ``type`` below. A dict without a
    type is read by code that cannot be asked, so there a new key is refused
    only if it is almost one that is there.

    Args:
        config: as read from the file.
        keys: for instance ``model.roi_head.mask_head.num_classes``.

    Raises:
        UserError: naming the first such key and the nearest one.
    """
    for key in keys:
        _check(config, key)


def _check(config: Config, key: str) -> None:
    node: Any = config
    parts = key.split('.')
    for depth, part in enumerate(parts):
        if isinstance(node, list | tuple) and part.isdigit():
            if int(part) >= len(node):
                raise UserError(
                    f'--cfg-options {key}: {".".join(parts[:depth])} has '
                    f'{len(node)} entries, from 0'
                )
            node = node[int(part)]
            continue
        if not isinstance(node, Mapping) and depth:
            # A value that is replaced by a dict.
            return
        if part not in node:
            _refuse(config, node, key, parts[: depth + 1])
            return
        node = node[part]


def _refuse(config: Config, node: Any, key: str, path: list[str]) -> None:
    """Raises unless a key that is not there may be added."""
    if len(path) == 1:
        taken: set[str] | None = _runner_keys()
    else:
        taken = _parameters(config, node.get('type'))
    present = set(node.keys()) if hasattr(node, 'keys') else set(node)
    known = present | (taken or set())
    hint = nearest(path[-1], known)
    if path[-1] in known or (taken is None and not hint):
        return
    owner = '.'.join(path[:-1])
    where = f'{owner} has no {path[-1]}' if owner else 'there is no such key'
    raise UserError(f'--cfg-options {key}: {where}{hint}')


def _runner_keys() -> set[str]:
    from mmengine.runner import Runner

    return {*inspect.signature(Runner.__init__).parameters, *_TOOL_KEYS}


def _parameters(config: Config, kind: Any) -> set[str] | None:
    """What the constructor of a type takes; None: anything, or not known."""
    if kind is None:
        return None
    found = find_class(kind, config.get('default_scope', 'mmdet'))
    if not inspect.isclass(found):
        return None
    return _names_taken(found)


def _names_taken(found: type) -> set[str]:
    names: set[str] = set()
    for base in inspect.getmro(found):
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(
            vars(base)['__init__']
        ).parameters.values()
        names.update(p.name for p in parameters)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return names


def find_class(kind: Any, scope: str) -> Any:
    """What a ``type`` stands for in any registry, or None.

    Args:
        kind: as a config has it.
        scope: where names without a prefix are looked up.
    """
    from mmengine import registry

    if not isinstance(kind, str):
        return kind
    name = kind if '.' in kind else f'{scope}.{kind}'
    for known in vars(registry).values():
        if isinstance(known, registry.Registry) and (found := known.get(name)):
            return found
    return None
