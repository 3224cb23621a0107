"""What fields of panoptic files mean, for whoever reads them.

Checks of a file do without OpenCV and torch, which its maps are read with.
"""

from collections.abc import Mapping

from mmseg_plugin.datasets.structure import is_number

AREA_TOLERANCE = 0.01


def is_thing(category: Mapping, otherwise: bool = True) -> bool:
    """Whether a category of a panoptic file is a thing.

    Args:
        category: as the file has it.
        otherwise: what it is where the file does not say so.
    """
    stated = category.get('isthing')
    return otherwise if stated is None else bool(stated)


def area_fits(area: float, pixels: int) -> bool:
    """Whether a stated area is that of the map, to a pixel or a hundredth.

    Args:
        area: as the file has it.
        pixels: of the segment in the map.
    """
    if not is_number(area):
        return False
    return abs(area - pixels) <= max(1, AREA_TOLERANCE * pixels)
