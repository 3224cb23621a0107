"""Hooks: what a long run needs to survive."""

from .exact_resume_hook import ExactResumeHook
from .matmul_precision_hook import MatmulPrecisionHook
from .non_finite_guard import NonFiniteGuard
from .safe_checkpoint_hook import SafeCheckpointHook
from .skip_bad_images_hook import SkipBadImagesHook

__all__ = [
    'ExactResumeHook',
    'MatmulPrecisionHook',
    'NonFiniteGuard',
    'SafeCheckpointHook',
    'SkipBadImagesHook',
]
