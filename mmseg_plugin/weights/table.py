"""The table of published weights; users can add a table of their own."""

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mmseg_plugin.cli.arguments import nearest
from mmseg_plugin.cli.cli import UserError

TABLE = Path(__file__).with_name('table.json')
FOLDER_VARIABLE = 'MMSEG_PLUGIN_WEIGHTS'
LAYOUTS = ('mmdet', 'd2', 'hf')
# What a folder of transformers is made of.
HF_FILES = ('config.json', 'preprocessor_config.json', 'model.safetensors')


@dataclass(frozen=True)
class Weights:
    """Published weights.

    Attributes:
        name: ``'owner/model'``.
        method: key of the converters' ``METHODS``.
        task: ``'instances'``, ``'panoptic'`` or ``'semantic'``.
        config: name of the shipped config that they fit.
        url: of the file, or of the folder if ``layout`` is ``'hf'``.
        layout: one of :data:`LAYOUTS`.
        licence: as their page states it.
        page: where the licence and the metric are published.
        metric: as published; empty where it is not.
        size: as published; empty where it is not.
        hash: ``'sha256:...'`` or ``'md5:...'``, often the first digits only;
            empty where none is published.
        note: what else to know.
        by_hand: a browser is needed to fetch them.
    """

    name: str
    method: str
    task: str
    config: str
    url: str
    layout: str
    licence: str
    page: str
    metric: str = ''
    size: str = ''
    hash: str = ''
    note: str = ''
    by_hand: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files; the last one holds the weights."""
        if self.layout == 'hf':
            return HF_FILES
        if self.by_hand:
            return ('weights.pth',)
        return (Path(urlsplit(self.url).path).name,)


def cache_folder() -> Path:
    """Where weights are kept: ``$MMSEG_PLUGIN_WEIGHTS``, or the user's."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder).expanduser()
    home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return Path(home).expanduser() / 'mmseg_plugin' / 'weights'


def read_table() -> dict[str, Weights]:
    """All weights, by name.

    ``table.json`` in :func:`cache_folder` adds to the shipped table.

    Raises:
        UserError: that file is no such table.
    """
    own = cache_folder() / TABLE.name
    table = _read(TABLE)
    if own.is_file():
        try:
            table |= _read(own)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f'{own} is no table of weights as docs/weights.md describes '
                f'it ({type(error).__name__}: {error})'
            ) from None
    return table


def _read(path: Path) -> dict[str, Weights]:
    content = json.loads(path.read_text())
    table = {}
    known = {field.name for field in fields(Weights)}
    for name, entry in content['weights'].items():
        values: dict[str, Any] = {**content['sources'][entry['source']]}
        values |= {k: v for k, v in entry.items() if k != 'source'}
        if unknown := values.keys() - known:
            raise ValueError(f'{name} has unknown keys: {sorted(unknown)}')
        if values['layout'] not in LAYOUTS or '..' in Path(name).parts:
            raise ValueError(f'{name} has no layout of {LAYOUTS}')
        table[name] = Weights(name, **values)
    return table


def find_weights(name: str) -> Weights:
    """Weights by their name.

    Raises:
        UserError: there are none of that name.
    """
    table = read_table()
    if name not in table:
        raise UserError(
            f'there are no weights {name!r}{nearest(name, table)}; '
            'list them with: mmseg-plugin weights list'
        )
    return table[name]
