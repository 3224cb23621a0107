"""Segmentation methods for OpenMMLab: see README.md."""

from importlib import import_module

from mmseg_plugin.ops.finder import install

__version__ = '0.1.0'

__all__ = ['Segmenter', '__version__', 'check_stack']

# Every Python that has the package starts with this import: nothing here
# may take time.
install()


def check_stack() -> None:
    """See :func:`mmseg_plugin.stack.check_stack`."""
    from mmseg_plugin.stack import check_stack as check

    check()


def __getattr__(name: str) -> object:
    if name == 'Segmenter':
        return import_module('mmseg_plugin.segmenter').Segmenter
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
