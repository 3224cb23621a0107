"""Segmentation methods for OpenMMLab: see README.md."""

from mmseg_plugin.stack import check_stack

__version__ = '0.1.0'

__all__ = ['__version__', 'check_stack']
