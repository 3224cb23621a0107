"""Channels of necks and heads, taken from the backbone."""

import copy
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

# Large enough for the lowest level of any backbone.
_SIDE = 256


def fill_in_channels(
    backbone: ConfigDict, *parts: ConfigDict | None
) -> tuple[ConfigDict | None, ...]:
    """Replaces ``in_channels=None`` of the first part that takes features.

    Args:
        backbone: config of any backbone.
        parts: neck and head, in the order of the data; None where there is
            none. A part without the key, or with a value, stays as it is.

    Returns:
        The parts; those that change are copies.

    Raises:
        ValueError: the channels cannot be found out.
    """
    filled = list(parts)
    for number, part in enumerate(parts):
        if part is None:
            continue
        if 'in_channels' in part and part['in_channels'] is None:
            filled[number] = copy.deepcopy(part)
            filled[number]['in_channels'] = feature_channels(backbone)
        # What comes after a neck takes the neck's channels.
        break
    return tuple(filled)


def feature_channels(backbone: ConfigDict) -> list[int]:
    """Channels of each map of a backbone, without allocating its weights.

    Args:
        backbone: config of any backbone.

    Raises:
        ValueError: it cannot run without memory.
    """
    config: dict[str, Any] = copy.deepcopy(backbone)
    config.pop('init_cfg', None)
    try:
        with torch.device('meta'), torch.no_grad():
            model = MODELS.build(config)
            model.eval()
            known = getattr(model, 'out_channels', None)
            if isinstance(known, tuple):
                return list(known)
            maps = model(torch.zeros(1, 3, _SIDE, _SIDE))
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f'in_channels=None cannot be filled from {backbone["type"]} '
            f'({error}): give the channels'
        ) from error
    return [int(features.shape[1]) for features in maps]
