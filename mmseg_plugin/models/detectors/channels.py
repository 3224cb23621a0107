"""Channels of necks and heads, taken from the backbone."""

import copy

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

# Large enough for the lowest level of any backbone.
_SIDE = 256
# In mmseg's DeepLabV3+: channels of the map that its decoder adds, the first.
_FIRST = 'c1_in_channels'
# Parts of heads that are given the features of the whole head.
_INSIDE = ('head', 'pixel_decoder', 'decode_head')


def fill_in_channels(
    backbone: ConfigDict,
    neck: ConfigDict | None,
    *heads: ConfigDict | None,
) -> tuple[ConfigDict | None, ...]:
    """Replaces ``in_channels=None`` of what takes a backbone's features.

    That is the neck or, where there is none, the heads. Of a head it is the
    key of its own, and that of parts inside it that see the same features;
    of mmseg's DeepLabV3+ ``c1_in_channels=None`` too.

    Args:
        backbone: config of any backbone.
        neck: config; None if there is none.
        heads: configs. One without the key, or with a value, stays as it is.
            One with ``in_index`` takes those levels alone, as in mmseg.

    Returns:
        Neck and heads; those that change are copies.
    """
    if not any(map(_asks, heads if neck is None else (neck,))):
        return (neck, *heads)
    channels = feature_channels(backbone)
    if neck is not None:
        return (_filled(neck, channels), *heads)
    return (None, *(_filled(head, channels) for head in heads))


def _asks(part: ConfigDict | None) -> bool:
    """Whether some ``in_channels`` of it is to be filled in."""
    if part is None:
        return False
    own = any(part.get(key, 0) is None for key in ('in_channels', _FIRST))
    return own or any(_asks(part.get(name)) for name in _INSIDE)


def _filled(part: ConfigDict | None, channels: list[int]) -> ConfigDict | None:
    if part is None or not _asks(part):
        return part
    part = copy.deepcopy(part)
    if part.get(_FIRST, 0) is None:
        part[_FIRST] = channels[0]
    if 'in_channels' in part and part['in_channels'] is None:
        chosen = part.get('in_index')
        if isinstance(chosen, int):
            part['in_channels'] = channels[chosen]
        else:
            levels = range(len(channels)) if chosen is None else chosen
            part['in_channels'] = [channels[level] for level in levels]
    for name in _INSIDE:
        if name in part:
            part[name] = _filled(part[name], channels)
    return part


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
