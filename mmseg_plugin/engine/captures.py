"""One training step as a file of plain data: batch, weights, random state."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from .checkpoint import load_file
from .files import write_checkpoint

# Marks what was an object; files hold tensors and plain containers only.
_KIND = 'kind of mmseg_plugin'
_ELEMENTS = {
    kind.__name__: kind for kind in (DetDataSample, InstanceData, PixelData)
}
_NEEDED = ('config', 'iteration', 'batch', 'weights', 'random')


def random_states() -> dict:
    """States of Python's, NumPy's, torch's generators and the device's."""
    states = {
        'python': random.getstate(),
        'numpy': np.random.get_state(),
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: Mapping) -> None:
    """Puts :func:`random_states` back; a missing device is left out."""
    random.setstate(states['python'])
    np.random.set_state(states['numpy'])
    torch.set_rng_state(states['torch'])
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'])


def as_plain(value: Any) -> Any:
    """A batch as containers, tensors, arrays, numbers and text.

    Args:
        value: what a data loader gives; data samples of mmdet and mmseg in
            containers. Anything else becomes its text.
    """
    if isinstance(value, BaseDataElement):
        return {
            _KIND: type(value).__name__,
            'meta': as_plain(dict(value.metainfo_items())),
            'data': as_plain(dict(value.items())),
        }
    if isinstance(value, BaseBoxes):
        return {_KIND: 'HorizontalBoxes', 'data': value.tensor.cpu()}
    if isinstance(value, PolygonMasks):
        masks, size = as_plain(value.masks), (value.height, value.width)
        return {_KIND: 'PolygonMasks', 'data': masks, 'size': size}
    if hasattr(value, 'to_ndarray'):
        masks, size = value.to_ndarray(), (value.height, value.width)
        return {_KIND: 'BitmapMasks', 'data': masks, 'size': size}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if value is None or isinstance(
        value, (bool, int, float, str, np.ndarray, np.generic)
    ):
        return value
    return str(value)


def from_plain(value: Any) -> Any:
    """The batch that :func:`as_plain` was given."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _KIND not in value:
        return {key: from_plain(item) for key, item in value.items()}
    kind, data = value[_KIND], from_plain(value['data'])
    if kind == 'HorizontalBoxes':
        return HorizontalBoxes(data)
    if kind == 'PolygonMasks':
        return PolygonMasks(data, *value['size'])
    if kind == 'BitmapMasks':
        return BitmapMasks(data, *value['size'])
    return _element(kind)(metainfo=from_plain(value['meta']), **data)


def _element(kind: str) -> Any:
    if kind == 'SegDataSample':
        # Only where mmseg trains.
        from mmseg.structures import SegDataSample

        return SegDataSample
    if kind not in _ELEMENTS:
        raise ValueError(
            f'a data sample is a {kind}; {", ".join(_ELEMENTS)} and '
            'SegDataSample can be run again'
        )
    return _ELEMENTS[kind]


def write_capture(
    path: Path,
    config: Mapping,
    iteration: int,
    batch: Any,
    weights: Mapping[str, torch.Tensor],
    random: Mapping,
) -> None:
    """Writes a step; the file is whole or absent.

    Args:
        path: the file; its folder is made.
        config: of the run, as plain containers.
        iteration: counted from 0.
        batch: as the data loader gave it.
        weights: of the model before the step.
        random: :func:`random_states` before the step.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    capture = {
        'config': as_plain(config),
        'iteration': iteration,
        'batch': as_plain(batch),
        'weights': {k: v.detach().cpu() for k, v in weights.items()},
        'random': dict(random),
    }
    write_checkpoint(capture, path)


def read_capture(path: Path) -> dict:
    """Reads :func:`write_capture`'s file, as data.

    Raises:
        FileNotFoundError: there is no such file.
        pickle.UnpicklingError: the file is damaged or holds code.
        ValueError: it holds something else.
    """
    capture = load_file(path, 'cpu')
    if not isinstance(capture, dict) or any(k not in capture for k in _NEEDED):
        raise ValueError(
            f'{path} is no capture of NonFiniteGuard: '
            f'{", ".join(_NEEDED)} are needed'
        )
    return {**capture, 'batch': from_plain(capture['batch'])}


def image_ids(batch: Any) -> list[str]:
    """Path, or id, of each image of a batch; empty where it has none."""
    samples = batch.get('data_samples', []) if isinstance(batch, dict) else []
    found = []
    for sample in samples:
        meta = getattr(sample, 'metainfo', {})
        found.append(str(meta.get('img_path') or meta.get('img_id', '?')))
    return found
