from .fused_attention import FusedAttention, fuse_attention
from .msdeformattn_pixel_decoder import MSDeformAttnPixelDecoder

__all__ = ['FusedAttention', 'MSDeformAttnPixelDecoder', 'fuse_attention']
