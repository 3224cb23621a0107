"""Finds out what a folder of data is, and reads what is not COCO's."""

from .detect import find_data, is_data
from .labelme import read_labelme
from .layout import DataError, DataFound, Split
from .yolo import read_yolo

__all__ = [
    'DataError',
    'DataFound',
    'Split',
    'find_data',
    'is_data',
    'read_data',
]


def read_data(found: DataFound) -> dict[str, dict]:
    """The splits of a format that has to be converted, as COCO data.

    Args:
        found: ``convert`` names the format.

    Raises:
        DataError: a file cannot be read.
    """
    if found.settings:
        return read_yolo(found.root, found.settings)
    return read_labelme(found.root)
