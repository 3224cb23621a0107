"""Hooks: what a long run needs to survive."""

from .exact_resume_hook import ExactResumeHook
from .matmul_precision_hook import MatmulPrecisionHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['ExactResumeHook', 'MatmulPrecisionHook', 'SafeCheckpointHook']
