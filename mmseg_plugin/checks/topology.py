"""Parts and holes of RLE masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# RLE masks that are decoded; of more, as many spread over the file.
LOOKED_AT = 2000


@dataclass(frozen=True)
class Topology:
    """Of the masks that were decoded.

    Attributes:
        place: (M,) of the annotation.
        parts: (M,) connected pieces, corners connect.
        holes: (M,) whether background is enclosed.
    """

    place: np.ndarray
    parts: np.ndarray
    holes: np.ndarray


def topology(annotations: list[dict], chosen: np.ndarray) -> Topology:
    """Decodes RLE masks.

    Args:
        annotations: of the file.
        chosen: places of those with sound RLE.
    """
    # Not needed by files of polygons; see difference_hash().
    import cv2
    from pycocotools import mask as coder

    step = max(1, -(-len(chosen) // LOOKED_AT))
    places = chosen[::step]
    parts = np.zeros(len(places), dtype=np.int64)
    holes = np.zeros(len(places), dtype=bool)
    for row, place in enumerate(places.tolist()):
        rle = annotations[place]['segmentation']
        if isinstance(rle['counts'], list):
            rle = coder.frPyObjects(rle, *rle['size'])
        x, y, width, height = map(int, coder.toBbox(rle))
        mask = coder.decode(rle)[y : y + height, x : x + width]
        if mask.size:
            # A border joins all background outside.
            around = np.pad(mask, 1)
            parts[row] = cv2.connectedComponents(around, connectivity=8)[0] - 1
            outside = (1 - around).astype(np.uint8)
            number, _, stats, _ = cv2.connectedComponentsWithStats(
                outside, connectivity=4
            )
            # Gaps of a pixel or two are noise of the annotation tool.
            areas = stats[1:, cv2.CC_STAT_AREA]
            holes[row] = number > 2 and (np.sort(areas)[:-1] >= 4).any()
    return Topology(places, parts, holes)
