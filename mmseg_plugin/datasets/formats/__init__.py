"""Finds out what a folder of data is, and reads what is not COCO's."""

from .detect import find_data
from .labelme import read_labelme
from .layout import DataError, DataFound, Split
from .yolo import read_yolo

# Name of a format to what reads its splits as COCO data.
READERS = {'yolo': read_yolo, 'labelme': read_labelme}

__all__ = ['READERS', 'DataError', 'DataFound', 'Split', 'find_data']
