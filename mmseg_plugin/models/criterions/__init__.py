from .mask_dino_criterion import MaskDINOCriterion, MaskDINOPredictions
from .query_criterion import QueryCriterion, name_layers
from .target_count import target_count

__all__ = [
    'MaskDINOCriterion',
    'MaskDINOPredictions',
    'QueryCriterion',
    'name_layers',
    'target_count',
]
