"""Stands in for ``mmcv._ext``: the plain operators, and a no to all others.

Executed under that name where mmcv has no compiled operators, see
:mod:`mmseg_plugin.ops.finder`.
"""

from collections.abc import Callable
from typing import NoReturn

from mmseg_plugin.ops.bbox_overlaps import bbox_overlaps
from mmseg_plugin.ops.border_align import (
    border_align_backward,
    border_align_forward,
)
from mmseg_plugin.ops.carafe import (
    carafe_backward,
    carafe_forward,
    carafe_naive_backward,
    carafe_naive_forward,
)
from mmseg_plugin.ops.deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
)
from mmseg_plugin.ops.deform_roi_pool import (
    deform_roi_pool_backward,
    deform_roi_pool_forward,
)
from mmseg_plugin.ops.finder import COMPILE
from mmseg_plugin.ops.line_nms import line_nms_forward
from mmseg_plugin.ops.masked_conv import (
    masked_col2im_forward,
    masked_im2col_forward,
)
from mmseg_plugin.ops.modulated_deform_conv import (
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from mmseg_plugin.ops.ms_deform_attn import (
    ms_deform_attn_backward,
    ms_deform_attn_forward,
)
from mmseg_plugin.ops.nms import nms
from mmseg_plugin.ops.nms_match import nms_match
from mmseg_plugin.ops.psamask import psamask_backward, psamask_forward
from mmseg_plugin.ops.roi_align import roi_align_backward, roi_align_forward
from mmseg_plugin.ops.roi_pool import roi_pool_backward, roi_pool_forward
from mmseg_plugin.ops.sigmoid_focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
)
from mmseg_plugin.ops.softmax_focal_loss import (
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from mmseg_plugin.ops.softnms import softnms
from mmseg_plugin.ops.sync_bn import (
    sync_bn_backward_data,
    sync_bn_backward_param,
    sync_bn_forward_mean,
    sync_bn_forward_output,
    sync_bn_forward_var,
)

__all__ = [
    'PLAIN',
    'bbox_overlaps',
    'border_align_backward',
    'border_align_forward',
    'carafe_backward',
    'carafe_forward',
    'carafe_naive_backward',
    'carafe_naive_forward',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'deform_roi_pool_backward',
    'deform_roi_pool_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'line_nms_forward',
    'masked_col2im_forward',
    'masked_im2col_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'psamask_backward',
    'psamask_forward',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
    'sync_bn_backward_data',
    'sync_bn_backward_param',
    'sync_bn_forward_mean',
    'sync_bn_forward_output',
    'sync_bn_forward_var',
]

# By which these operators are told from the compiled ones.
PLAIN = True


def get_compiler_version() -> str:
    """What mmcv's environment report shows."""
    return 'none: plain PyTorch operators of mmseg_plugin'


def get_compiling_cuda_version() -> str:
    """What mmcv's environment report shows."""
    return 'not available'


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Any other operator: mmcv imports, only a call of it fails."""
    if name.startswith('_'):
        raise AttributeError(name)

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f'the operator {name} of mmcv has no plain version in '
            f'mmseg_plugin; compile mmcv with: {COMPILE}'
        )

    refuse.__name__ = refuse.__qualname__ = name
    return refuse
