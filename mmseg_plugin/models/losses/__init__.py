from .boundary_tolerant_bce_loss import BoundaryTolerantBCELoss
from .dense_mask_loss import DenseMaskLoss
from .focal_mask_loss import FocalMaskLoss
from .foreground_background_balanced_loss import (
    ForegroundBackgroundBalancedLoss,
)
from .generalized_cross_entropy_loss import GeneralizedCrossEntropyLoss
from .intra_batch_loss import IntraBatchLoss
from .label_smoothing_bce_loss import LabelSmoothingBCELoss
from .lovasz_hinge_loss import LovaszHingeLoss
from .map_focal_loss import MapFocalLoss
from .point_mask_loss import PointMaskLoss
from .query_box_loss import QueryBoxLoss
from .query_class_loss import QueryClassLoss, QueryFocalLoss
from .roi_mask_loss import RoIMaskLoss
from .soft_dice_loss import SoftDiceLoss
from .symmetric_bce_loss import SymmetricBCELoss
from .weighted_dice_loss import WeightedDiceLoss

__all__ = [
    'BoundaryTolerantBCELoss',
    'DenseMaskLoss',
    'FocalMaskLoss',
    'ForegroundBackgroundBalancedLoss',
    'GeneralizedCrossEntropyLoss',
    'IntraBatchLoss',
    'LabelSmoothingBCELoss',
    'LovaszHingeLoss',
    'MapFocalLoss',
    'PointMaskLoss',
    'QueryBoxLoss',
    'QueryClassLoss',
    'QueryFocalLoss',
    'RoIMaskLoss',
    'SoftDiceLoss',
    'SymmetricBCELoss',
    'WeightedDiceLoss',
]
