"""Lets timm import torchvision whose binary was built for another torch.

timm wants a class and image transforms of it, no operator; torchvision stops
while importing when its operators are not there.
"""

from importlib.util import find_spec

import torch

NAMES = ('nms', 'qnms', 'roi_align', 'roi_pool', 'ps_roi_align')
NAMES += ('ps_roi_pool', 'deform_conv2d', '_roi_align_backward')
NAMES += ('_roi_pool_backward', '_ps_roi_align_backward')
NAMES += ('_ps_roi_pool_backward', '_deform_conv2d_backward')
# Kept: what it declares is gone with it.
LIBRARY = torch.library.Library('torchvision', 'FRAGMENT')


def declare() -> None:
    """Declares the operators unless torchvision works as it is."""
    if find_spec('torchvision') is None:
        return
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in NAMES:
            LIBRARY.define(f'{name}(Tensor x) -> Tensor')
