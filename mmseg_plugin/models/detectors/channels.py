"""Channels of necks and heads, taken from the backbone."""

import copy

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
    """Channels of each map of a backbone.

    Args:
        backbone: config of any backbone. It is built without memory where
            that is possible, or else once more than needed.
    """
    config = copy.deepcopy(backbone)
    config.pop('init_cfg', None)
    try:
        return _channels(config, 'meta')
    except (RuntimeError, NotImplementedError):
        # Some look at values while they are built: mmdet's Swin.
        return _channels(config, 'cpu')


def _channels(config: ConfigDict, device: str) -> list[int]:
    with torch.device(device), torch.no_grad():
        model = MODELS.build(config)
        known = getattr(model, 'out_channels', None)
        if isinstance(known, tuple):
            return list(known)
        # mmdet's return nothing from it.
        model.eval()
        maps = model(torch.zeros(1, 3, _SIDE, _SIDE))
    return [int(features.shape[1]) for features in maps]
