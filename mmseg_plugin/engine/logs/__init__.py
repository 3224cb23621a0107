"""What a run prints."""

from .log_lines import LogLines
from .progress_hook import ProgressHook

__all__ = ['LogLines', 'ProgressHook']
