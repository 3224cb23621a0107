from .efpn_roi_extractor import EFPNRoIExtractor
from .efpn_roi_head import EFPNCascadeRoIHead, EFPNRoIHead
from .multi_loss_mask_head import MultiLossMaskHead

__all__ = [
    'EFPNCascadeRoIHead',
    'EFPNRoIExtractor',
    'EFPNRoIHead',
    'MultiLossMaskHead',
]
