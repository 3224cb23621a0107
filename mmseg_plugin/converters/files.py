"""Reads and writes the checkpoint files of both sides, as data only."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmseg_plugin.engine.checkpoint import (
    kept_classes,
    load_file,
    unreadable,
)

# Where each side keeps the weights in its file.
STATE_KEYS = {'d2': 'model', 'mmdet': 'state_dict'}
_ALLOWED = {
    ('collections', 'OrderedDict'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', '_reconstruct'),
    # How pickle protocol 2 writes bytes.
    ('_codecs', 'encode'),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads containers and NumPy arrays; anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f'GLOBAL {module}.{name}')
        return super().find_class(module, name)


def _load_pickle(path: Path) -> Any:
    """Official ``.pkl`` files: a dict of NumPy arrays."""
    try:
        with path.open('rb') as file:
            return _ArrayUnpickler(file, encoding='latin1').load()
    except OSError:
        raise
    except Exception as error:
        # Bytes that mean something else can fail in any way.
        raise unreadable(path, error) from None


def read_state(path: str | Path, side: str) -> dict[str, Tensor]:
    """State dict of a checkpoint file.

    Args:
        path: ``.pth`` file, or a ``.pkl`` of NumPy arrays as detectron2's
            model zoo has them.
        side: ``'d2'`` or ``'mmdet'``; says under which key the weights are.
            A file that is a bare state dict is taken as it is.

    Raises:
        FileNotFoundError: there is no such file.
        pickle.UnpicklingError: the file is damaged or holds more than
            weights; nothing of it was executed.
        ValueError: the file holds no state dict.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(
            f'{path} is a folder, no {side} checkpoint: name the file in it, '
            'or read a folder of transformers by --from hf'
        )
    if path.suffix == '.pkl' and path.is_file():
        content = _load_pickle(path)
    else:
        content = load_file(path, map_location='cpu')
    state = content
    if isinstance(content, dict):
        state = content.get(STATE_KEYS[side], content)
    if not isinstance(state, dict) or not state:
        raise ValueError(f'{path} holds no state dict')
    tensors = {}
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            value = torch.from_numpy(value)
        if not isinstance(value, Tensor):
            raise ValueError(
                f'{path} is no {side} checkpoint: it has no '
                f'{STATE_KEYS[side]!r}, and {name!r} is no tensor'
            )
        tensors[name] = value
    return tensors


def write_state(state: dict[str, Tensor], path: str | Path, side: str) -> None:
    """Writes a checkpoint that ``side`` loads.

    Args:
        state: state dict.
        path: file to write.
        side: ``'d2'`` or ``'mmdet'``.
    """
    torch.save({STATE_KEYS[side]: state}, path)


def read_classes(path: str | Path, side: str) -> list[str] | None:
    """Names of the classes that a checkpoint of MMEngine was trained on.

    Args:
        path: checkpoint file.
        side: other files than mmdet's name no classes.

    Returns:
        In the order of the labels; None if the file names none.
    """
    if side != 'mmdet':
        return None
    content = load_file(Path(path).expanduser(), map_location='cpu')
    classes = kept_classes(content)
    return None if classes is None else list(classes)
