"""Weights as a checkpoint that the models here start from."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.registry import MODELS, DefaultScope
from torch import Tensor

from mmseg_plugin.cli.cli import UserError, atomic_path
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
        UserError: not even the half of the model is in the weights.
    """
    state = read_weights(mmdet_checkpoint(weights), 'mmdet', weights.method)
    result = fit_config(state, config)
    if len(result.state) < len(result.fresh):
        raise UserError(
            f'{weights.name} holds {len(result.state)} of '
            f'{len(result.state) + len(result.fresh)} weights of this model: '
            f'it is for {weights.config} and what is based on it'
        )
    with atomic_path(target) as part:
        write_state(result.state, part, 'mmdet')
    return result


def fit_config(state: Mapping[str, Tensor], config: 'Config') -> Fit:
    """:func:`fit` with the model of a config."""
    scope = config.get('default_scope', 'mmdet')
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(config.model).state_dict()
    return fit(named_for(state, model), model)
