"""Finds out what a folder of data is, and reads what is not COCO's."""

from .detect import DataError, DataFound, Split, find_data

__all__ = ['DataError', 'DataFound', 'Split', 'find_data']
