from .boundary_tolerant_bce_loss import BoundaryTolerantBCELoss
from .focal_mask_loss import FocalMaskLoss
from .generalized_cross_entropy_loss import GeneralizedCrossEntropyLoss
from .label_smoothing_bce_loss import LabelSmoothingBCELoss
from .lovasz_hinge_loss import LovaszHingeLoss
from .roi_mask_loss import RoIMaskLoss
from .soft_dice_loss import SoftDiceLoss
from .symmetric_bce_loss import SymmetricBCELoss

__all__ = [
    'BoundaryTolerantBCELoss',
    'FocalMaskLoss',
    'GeneralizedCrossEntropyLoss',
    'LabelSmoothingBCELoss',
    'LovaszHingeLoss',
    'RoIMaskLoss',
    'SoftDiceLoss',
    'SymmetricBCELoss',
]
