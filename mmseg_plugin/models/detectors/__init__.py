from .efpn_detector import EFPNDetector
from .encoder_decoder import EncoderDecoder
from .mask_rcnn import MaskRCNN
from .panoptic_fcn import PanopticFCN
from .query_detector import MaskDINO, QueryDetector

__all__ = [
    'EFPNDetector',
    'EncoderDecoder',
    'MaskDINO',
    'MaskRCNN',
    'PanopticFCN',
    'QueryDetector',
]
