"""Which module exports which model."""

from typing import Any

from mmdet.models.detectors import TwoStageDetector
from torch import nn

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.exporting.mask_rcnn import MaskRCNNResults
from mmseg_plugin.exporting.networks import QueryResults
from mmseg_plugin.exporting.panoptic_fcn import PanopticFCNResults
from mmseg_plugin.exporting.segmentors import SegmentorResults
from mmseg_plugin.models.detectors import PanopticFCN, QueryDetector

# What chooses what it looks at image by image.
_SINGLE = {TwoStageDetector: MaskRCNNResults, PanopticFCN: PanopticFCNResults}


def body_of(model: Any, batch: bool) -> nn.Module:
    """From an input and a frame to results by name.

    Args:
        model: with its weights.
        batch: whether it has to take any number of images.

    Raises:
        UserError: models of this kind cannot be exported, or not for a
            batch.
    """
    if isinstance(model, QueryDetector):
        return QueryResults(model)
    for kind, body in _SINGLE.items():
        if isinstance(model, kind):
            if batch:
                raise UserError(
                    f'{type(model).__name__} is exported for one image: no '
                    '--dynamic batch'
                )
            return body(model)
    names = [kind.__name__ for kind in type(model).__mro__]
    if 'EncoderDecoder' in names:
        if batch and _loops(model):
            raise UserError(
                'decode heads of queries take one image: no --dynamic batch'
            )
        return SegmentorResults(model)
    raise UserError(
        f'models of type {type(model).__name__} cannot be exported'
    )


def _loops(segmentor: Any) -> bool:
    """Whether its head goes through a batch image by image."""
    return type(segmentor.decode_head).__name__ == 'QueryDecodeHead'
