"""Optimizers: what their construction and their steps cost less by."""

from .merged_groups import MergedGroups
from .merged_optim_wrapper_constructor import MergedOptimWrapperConstructor

__all__ = ['MergedGroups', 'MergedOptimWrapperConstructor']
