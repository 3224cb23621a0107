from .deformable_attention import (
    DeformableAttention,
    use_deformable_attention,
)
from .fused_attention import FusedAttention, fuse_attention
from .mask_dino_encoder import MaskDINOEncoder
from .msdeformattn_pixel_decoder import MSDeformAttnPixelDecoder

__all__ = [
    'DeformableAttention',
    'FusedAttention',
    'MSDeformAttnPixelDecoder',
    'MaskDINOEncoder',
    'fuse_attention',
    'use_deformable_attention',
]
