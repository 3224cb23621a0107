"""Finds the configs that ship with the plugin, and reads any."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseg_plugin.cli.cli import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs'


def shipped_configs() -> dict[str, Path]:
    """Name (file name without ``.py``) of each shipped config to its path."""
    return {
        path.stem: path.resolve()
        for path in sorted(CONFIGS.glob('*/*.py'))
        if path.parent.name != '_base_'
    }


def find_config(name: str) -> Path:
    """Path of a config.

    Args:
        name: a path to any config file, or the name of a shipped one, with
            or without ``.py``.

    Raises:
        UserError: neither a file nor a shipped config; the message names
            the closest ones.
    """
    path = Path(name)
    if path.suffix == '.py' and path.is_file():
        return path.resolve()
    configs = shipped_configs()
    stem = name.removesuffix('.py')
    if stem in configs:
        return configs[stem]
    close = difflib.get_close_matches(stem, configs, n=3, cutoff=0.4)
    hint = f'; close ones: {", ".join(close)}' if close else ''
    if path.exists():
        raise UserError(f'{name} is no config, a file that ends in .py')
    raise UserError(
        f'{name} is neither there nor the name of a shipped config{hint}; '
        'list those with: python -m mmseg_plugin config'
    )


def read_config(path: str | Path) -> Config:
    """Reads a config file.

    Args:
        path: of the file, as :func:`find_config` gives it.

    Raises:
        UserError: it cannot be read; the message says why.
    """
    # Configs are found without a stack too.
    from mmengine.config import Config

    try:
        return Config.fromfile(path)
    except Exception as error:
        # A config is a program: it can fail in any way.
        raise UserError(
            f'config {path} cannot be read: {type(error).__name__}: {error}'
        ) from error


def read_model_config(name: str) -> Config:
    """Reads the config of a model.

    Args:
        name: see :func:`find_config`.

    Raises:
        UserError: there is no such config, it cannot be read, or it is only
            a part of one.
    """
    path = find_config(name)
    config = read_config(path)
    if 'model' not in config:
        raise UserError(f'config {path} has no model; is it a base?')
    return config


@contextlib.contextmanager
def wrong_types_as_sentence(source: object) -> Iterator[None]:
    """Inside, a value of another kind than its key wants is bad input.

    Args:
        source: the config.

    Raises:
        UserError: naming the config.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise UserError(
            f'config {source} cannot be used as it is written: '
            f'{type(error).__name__}: {error}'
        ) from error


# What a run reads beside the arguments of MMEngine's Runner.
READ_ELSEWHERE = {
    'auto_scale_lr',
    'custom_imports',
    'tta_model',
    'tta_pipeline',
    'vis_backends',
}


def expand(path: str | Path) -> str:
    """A config with everything it inherits, as the text of one file.

    The text loads to the same config, less the variables that only bases
    and configs use among themselves.

    Args:
        path: of the file, as :func:`find_config` gives it.

    Raises:
        UserError: it cannot be read; the message says why.
    """
    from mmengine.config import Config
    from mmengine.runner import Runner

    config = read_config(path).to_dict()
    read = READ_ELSEWHERE | set(inspect.signature(Runner).parameters)
    return Config({k: v for k, v in config.items() if k in read}).pretty_text


def plain_data_sets(dataset: dict) -> Iterator[Any]:
    """Every data set of a config inside those that repeat or join others."""
    inner = dataset.get('dataset') or dataset.get('datasets')
    if not inner:
        yield dataset
        return
    for part in inner if isinstance(inner, list | tuple) else [inner]:
        yield from plain_data_sets(part)
