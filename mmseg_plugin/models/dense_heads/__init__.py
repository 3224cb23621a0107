from .mask2former_head import Mask2FormerHead
from .mask_dino_head import MaskDINOHead
from .maskformer_head import MaskFormerHead
from .panoptic_fcn_head import PanopticFCNHead

__all__ = [
    'Mask2FormerHead',
    'MaskDINOHead',
    'MaskFormerHead',
    'PanopticFCNHead',
]
