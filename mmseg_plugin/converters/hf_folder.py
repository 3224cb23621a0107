"""Reads and writes folders of transformers: config.json and safetensors."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmseg_plugin.converters.hf_card import model_card
from mmseg_plugin.converters.hf_config import config_of, processor_of
from mmseg_plugin.engine.checkpoint import check_pointer

CONFIG = 'config.json'
_FILE = 'model.safetensors'
_INDEX = 'model.safetensors.index.json'
_TYPES = {'mask2former': 'mask2former', 'maskformer': 'maskformer'}


def read_folder(
    folder: str | Path, method: str | None = None
) -> dict[str, Tensor]:
    """Weights of a folder as transformers saves a model.

    Args:
        folder: holds ``config.json`` and ``model.safetensors``, in one piece
            or in several with their index.
        method: the folder has to be a model of it.

    Returns:
        Name to value under the names of the file; half precision becomes
        float32.

    Raises:
        ValueError: the folder holds no such model, or a file of it is
            damaged; nothing in it is executed.
    """
    folder = Path(folder).expanduser()
    kind = read_json(folder / CONFIG).get('model_type')
    if method and kind != _TYPES.get(method, kind):
        raise ValueError(
            f'{folder / CONFIG} is of a {kind}, not of a {method}'
        )
    state = {}
    for path in _files(folder):
        for name, value in _read_safetensors(path).items():
            half = value.dtype in (torch.bfloat16, torch.float16)
            state[name] = value.float() if half else value
    return state


def method_of(folder: Path) -> str:
    """Of which method the model in a folder is.

    Raises:
        ValueError: of none that has a table, or there is no such folder.
    """
    kind = read_json(folder / CONFIG).get('model_type')
    if kind not in _TYPES:
        raise ValueError(
            f'{folder / CONFIG} is of a {kind}; a '
            f'{" or a ".join(_TYPES)} can be converted'
        )
    return str(kind)


def read_json(path: Path) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise ValueError(
            f'{path} cannot be found: a folder of transformers holds '
            f'{CONFIG} and {_FILE}'
        )
    check_pointer(path)
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path} holds no JSON object')
    return content


def _files(folder: Path) -> list[Path]:
    if not (folder / _INDEX).is_file():
        if not (folder / _FILE).is_file():
            raise ValueError(
                f'{folder} has no {_FILE}: save the model again with '
                'transformers, which writes it'
            )
        return [folder / _FILE]
    names = read_json(folder / _INDEX).get('weight_map')
    if not isinstance(names, dict) or not names:
        raise ValueError(f'{folder / _INDEX} has no weight_map')
    files = [folder / Path(str(n)).name for n in sorted(set(names.values()))]
    for path in files:
        if not path.is_file():
            raise ValueError(
                f'{path} cannot be found, {_INDEX} names it: copy the whole '
                'folder'
            )
    return files


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    library = _safetensors()
    check_pointer(path)
    try:
        return library.load_file(str(path))
    except Exception as error:
        # What the library raises is its own and has no common base.
        raise ValueError(f'{path} is no safetensors file: {error}') from None


def _safetensors() -> Any:
    try:
        from safetensors import torch as library
    except ImportError:
        raise ValueError(
            'files of transformers need safetensors: pip install safetensors'
        ) from None
    return library


def write_folder(
    state: Mapping[str, Tensor],
    folder: Path,
    method: str,
    classes: Sequence[str] | None = None,
    facts: Mapping[str, str] | None = None,
    steps: Mapping[str, Any] | None = None,
    heads: int | None = None,
) -> None:
    """Writes a folder that ``from_pretrained`` of transformers loads.

    Args:
        state: with the names of transformers' files.
        folder: made here.
        method: ``'mask2former'`` or ``'maskformer'``.
        classes: names in the order of the labels; numbered if None.
        facts: for :func:`model_card`.
        steps: for :func:`processor_of`.
        heads: of the decoder's attention, if they are known.

    Raises:
        ValueError: see :func:`config_of` and :func:`processor_of`.
    """
    library = _safetensors()
    config = config_of(method, state, classes, heads)
    processor = processor_of(method, config, steps)
    folder.mkdir()
    whole = {name: value.contiguous() for name, value in state.items()}
    library.save_file(whole, str(folder / _FILE), metadata={'format': 'pt'})
    for name, content in (
        (CONFIG, config),
        ('preprocessor_config.json', processor),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + '\n')
    card = model_card(method, config, {'name': folder.name, **(facts or {})})
    (folder / 'README.md').write_text(card)
