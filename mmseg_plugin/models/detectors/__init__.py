from .mask_dino import MaskDINO
from .panoptic_fcn import PanopticFCN

__all__ = ['MaskDINO', 'PanopticFCN']
