from .fused_attention import FusedAttention, fuse_attention
from .mask_dino_encoder import MaskDINOEncoder
from .msdeformattn_pixel_decoder import MSDeformAttnPixelDecoder

__all__ = [
    'FusedAttention',
    'MSDeformAttnPixelDecoder',
    'MaskDINOEncoder',
    'fuse_attention',
]
