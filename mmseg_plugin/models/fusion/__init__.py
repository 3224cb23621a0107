from mmseg_plugin.models.fusion.query_fusion_head import QueryFusionHead
from mmseg_plugin.models.fusion.query_maps import QueryMaps, Sizes
from mmseg_plugin.models.fusion.semantic import semantic_scores

__all__ = ['QueryFusionHead', 'QueryMaps', 'Sizes', 'semantic_scores']
