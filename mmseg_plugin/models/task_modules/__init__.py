from .batch_hungarian_assigner import BatchHungarianAssigner
from .chunked_iou_assigner import ChunkedIoUAssigner
from .match_costs import (
    BoxGIoUCost,
    BoxL1Cost,
    FocalClassCost,
    MaskBCECost,
    MaskDiceCost,
    MaskFocalCost,
    SoftmaxClassCost,
)
from .panoptic_fcn_targets import PanopticFCNTargetGenerator

__all__ = [
    'BatchHungarianAssigner',
    'BoxGIoUCost',
    'BoxL1Cost',
    'ChunkedIoUAssigner',
    'FocalClassCost',
    'MaskBCECost',
    'MaskDiceCost',
    'MaskFocalCost',
    'PanopticFCNTargetGenerator',
    'SoftmaxClassCost',
]
