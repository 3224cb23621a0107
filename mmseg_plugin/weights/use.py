"""Weights as a checkpoint that the models here start from."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.registry import MODELS, DefaultScope
from torch import Tensor

from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.cli.configs import find_config, read_config
from mmseg_plugin.converters.carry import carry_over
from mmseg_plugin.converters.files import read_state, write_state
from mmseg_plugin.converters.fit import Fit, fit, named_for
from mmseg_plugin.converters.hf_folder import read_folder

from .fetch import fetch
from .table import Weights

if TYPE_CHECKING:
    from mmengine.config import Config


def read_weights(path: Path, layout: str, method: str) -> dict[str, Tensor]:
    """State dict of a file or a folder.

    Raises:
        UserError: it cannot be read, or is not of this layout.
    """
    try:
        if layout == 'hf':
            return read_folder(path, method)
        return read_state(path, layout)
    except (OSError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(str(error)) from None


def mmdet_checkpoint(weights: Weights) -> Path:
    """Fetches weights and converts them to mmdet's layout if need be.

    The converted file is kept beside the original.

    Raises:
        UserError: they cannot be fetched or converted.
    """
    source = fetch(weights)
    if weights.layout == 'mmdet':
        return source
    original = source if source.is_file() else source / weights.files[-1]
    target = original.with_name('mmdet.pth')
    if target.is_file() and _age(target) >= _age(original):
        return target
    state = read_weights(source, weights.layout, weights.method)
    try:
        done = carry_over(weights.method, state, weights.layout, 'mmdet')
    except ValueError as error:
        raise UserError(f'{source} was not converted: {error}') from None
    with atomic_path(target) as part:
        write_state(done.state, part, 'mmdet')
    return target


def _age(path: Path) -> float:
    return path.stat().st_mtime


def checkpoint_for(weights: Weights, config: 'Config', target: Path) -> Fit:
    """Writes what of the weights a model can start from.

    Args:
        weights: to fetch.
        config: of the model.
        target: file to write.

    Raises:
        UserError: it is another model.
    """
    own = read_config(find_config(weights.config))
    if _head_of(config) != _head_of(own):
        raise UserError(
            f'{weights.name} is for {weights.config} and what is based on it: '
            f'it has a {_head_of(own)}, this model a {_head_of(config)}'
        )
    state = read_weights(mmdet_checkpoint(weights), 'mmdet', weights.method)
    result = fit_config(state, config)
    if not result.state:
        raise UserError(f'nothing of {weights.name} fits this model')
    with atomic_path(target) as part:
        write_state(result.state, part, 'mmdet')
    return result


def _head_of(config: 'Config') -> str:
    """Class of the head that makes queries or kernels, without scope."""
    model = config.model
    head = model.get('panoptic_head') or model.get('decode_head') or model
    return str(head.get('head', head).get('type')).rpartition('.')[2]


def fit_config(state: Mapping[str, Tensor], config: 'Config') -> Fit:
    """:func:`fit` with the model of a config."""
    scope = config.get('default_scope', 'mmdet')
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(config.model).state_dict()
    return fit(named_for(state, model), model)
