"""Segmentors of mmseg with channels filled in."""

from typing import Any

from mmengine.config import ConfigDict
from torch import nn

from mmseg_plugin.models.detectors.channels import fill_in_channels
from mmseg_plugin.registry import MODELS


@MODELS.register_module()
def EncoderDecoder(
    backbone: ConfigDict,
    decode_head: ConfigDict,
    neck: ConfigDict | None = None,
    auxiliary_head: ConfigDict | list[ConfigDict] | None = None,
    **kwargs: Any,
) -> nn.Module:
    """mmseg's ``EncoderDecoder``, built with channels of its backbone.

    A function, so that no detector has to import mmseg.

    Args:
        backbone: config.
        decode_head: config. ``in_channels=None`` of the neck, or of the
            heads if there is none, is taken from the backbone. mmseg's own
            heads say by ``in_index`` which of its maps they take, the last
            one by default.
        neck: config, or None.
        auxiliary_head: config or configs, or None.
        **kwargs: of mmseg's ``EncoderDecoder``.
    """
    several = isinstance(auxiliary_head, list | tuple)
    others = list(auxiliary_head) if several else [auxiliary_head]
    heads = [_indexed(head) for head in (decode_head, *others)]
    neck, decode_head, *others = fill_in_channels(backbone, neck, *heads)
    return MODELS.build(
        dict(
            kwargs,
            type='mmseg.EncoderDecoder',
            backbone=backbone,
            neck=neck,
            decode_head=decode_head,
            auxiliary_head=others if several else others[0],
        )
    )


def _indexed(head: ConfigDict | None) -> ConfigDict | None:
    """Says of a head of mmseg which map it takes by default, the last one."""
    if head is None or 'in_index' in head:
        return head
    if head.get('in_channels', 0) is not None:
        return head
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead

    kind = MODELS.get(head['type'])
    ours = kind is None or not issubclass(kind, BaseDecodeHead)
    return head if ours else dict(head, in_index=-1)
