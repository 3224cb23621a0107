from mmseg_plugin.models.fusion.panoptic_fcn_fusion_head import (
    PanopticFCNFusionHead,
)
from mmseg_plugin.models.fusion.query_fusion_head import QueryFusionHead
from mmseg_plugin.models.fusion.query_maps import QueryMaps
from mmseg_plugin.models.fusion.semantic import semantic_scores
from mmseg_plugin.models.fusion.sizes import Sizes

__all__ = [
    'PanopticFCNFusionHead',
    'QueryFusionHead',
    'QueryMaps',
    'Sizes',
    'semantic_scores',
]
