from .efpn import EFPN
from .semantic_fpn import SemanticFPN

__all__ = [
    'EFPN',
    'SemanticFPN',
]
