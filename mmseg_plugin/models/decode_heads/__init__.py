from mmseg_plugin.models.decode_heads.per_pixel_baseline_head import (
    PerPixelBaselineHead,
)
from mmseg_plugin.models.decode_heads.per_pixel_baseline_plus_head import (
    PerPixelBaselinePlusHead,
)
from mmseg_plugin.models.decode_heads.query_decode_head import QueryDecodeHead
from mmseg_plugin.models.decode_heads.segmentor_pixel_decoder import (
    SegmentorPixelDecoder,
)

__all__ = [
    'PerPixelBaselineHead',
    'PerPixelBaselinePlusHead',
    'QueryDecodeHead',
    'SegmentorPixelDecoder',
]
