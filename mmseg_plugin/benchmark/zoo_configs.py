"""Finds configs of the model zoos, and what was published about them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.stack import mim_folder

ZOOS = ('mmdet', 'mmseg')


def zoo_configs(zoo: str) -> Path | None:
    """Folder of the configs that an installed framework brings."""
    folder = mim_folder(zoo)
    return folder and folder / 'configs'


def find_any_config(name: str) -> Path:
    """Path of a config, of the plugin, a zoo or the user.

    Args:
        name: a path, the name of a shipped config, or ``mmdet::`` or
            ``mmseg::`` and the path or the file name of a zoo's config.

    Raises:
        UserError: there is none.
    """
    zoo, separator, rest = name.partition('::')
    if not separator:
        return find_config(name)
    folder = zoo_configs(zoo) if zoo in ZOOS else None
    if folder is None:
        raise UserError(
            f'{name}: {zoo} is not an installed zoo; there are: '
            f'{", ".join(zoo for zoo in ZOOS if zoo_configs(zoo))}'
        )
    stem = rest.removesuffix('.py')
    found = sorted(folder.rglob(f'{Path(stem).name}.py'))
    found = [path for path in found if str(path).endswith(f'/{stem}.py')]
    if not found:
        raise UserError(
            f'{name} is not a config of {zoo}; see the folders in {folder}'
        )
    return found[0]


def published(config: Path) -> dict[str, Any] | None:
    """What the metafiles say about a config.

    A config of the plugin that has no numbers of its own gets those of the
    zoo's config with its name, whose weights it loads.

    Args:
        config: path of the config.

    Returns:
        ``results`` (a list of ``task``, ``dataset`` and ``metrics``),
        ``memory_gb`` (of training, or None), ``inference`` (a list of
        ``value`` in ms and ``hardware``) and ``weights`` (URL or None); None
        if nothing was published.
    """
    for folder in _folders(config):
        for path in sorted(folder.glob('metafile.y*ml')):
            for entry in _models(yaml.safe_load(path.read_text())):
                of_config = Path(entry.get('Config', '')).stem == config.stem
                if of_config and entry.get('Results'):
                    return _facts(entry)
    return None


def _folders(config: Path) -> Iterator[Path]:
    """Where a metafile about a config may lie."""
    yield config.parent
    for zoo in ZOOS:
        folder = zoo_configs(zoo)
        if folder is not None:
            yield folder / config.parent.name


def _models(metafile: Any) -> Iterable[dict]:
    if isinstance(metafile, dict):
        return metafile.get('Models') or []
    return metafile or []


def _facts(entry: dict) -> dict[str, Any]:
    about = entry.get('Metadata') or {}
    memory = about.get('Training Memory (GB)', about.get('Memory (GB)'))
    return {
        'results': [
            {
                'task': result.get('Task'),
                'dataset': result.get('Dataset'),
                'metrics': result.get('Metrics') or {},
            }
            for result in _listed(entry['Results'])
        ],
        'memory_gb': memory,
        'inference': [
            {'value': time.get('value'), 'hardware': time.get('hardware')}
            for time in _listed(about.get('inference time (ms/im)'))
            if isinstance(time, dict)
        ],
        'weights': entry.get('Weights'),
    }


def _listed(value: Any) -> list:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
