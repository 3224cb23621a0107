from .mask2former_head import Mask2FormerHead
from .maskformer_head import MaskFormerHead

__all__ = ['Mask2FormerHead', 'MaskFormerHead']
