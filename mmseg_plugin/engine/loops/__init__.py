"""Loops of a run."""

from .resumable_test_loop import ResumableTestLoop, results_kept_in

__all__ = ['ResumableTestLoop', 'results_kept_in']
