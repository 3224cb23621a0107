from .efpn_detector import EFPNDetector
from .mask_dino import MaskDINO
from .mask_rcnn import MaskRCNN
from .panoptic_fcn import PanopticFCN

__all__ = ['EFPNDetector', 'MaskDINO', 'MaskRCNN', 'PanopticFCN']
