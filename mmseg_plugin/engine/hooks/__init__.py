"""Hooks: what a long run needs to survive."""

from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['SafeCheckpointHook']
