"""Puts COCO data together from polygons of other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmseg_plugin.datasets.annotations import check_reach

from .layout import DataError

if TYPE_CHECKING:
    from PIL import Image

# Orientations of EXIF that exchange width and height.
LYING = (5, 6, 7, 8)
_ORIENTATION = 0x0112


def orientation(image: Image.Image) -> int:
    """That of EXIF; 1: shown as it is stored."""
    return image.getexif().get(_ORIENTATION, 1)


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as EXIF turns it."""
    width, height = image.size
    lies = orientation(image) in LYING
    return (height, width) if lies else (width, height)


def reaching(polygon: np.ndarray, where: str) -> np.ndarray:
    """The polygon, (P, 2) x and y in pixels, if an image may have it.

    Raises:
        DataError: see ``check_reach``; it begins with ``where``.
    """
    try:
        check_reach(polygon.reshape(-1), where)
    except ValueError as error:
        raise DataError(str(error)) from error
    return polygon


class CocoBuilder:
    """COCO data that grows image by image.

    Args:
        root: what file names are relative to.
        names: classes, in order; ids are from 1.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root = root
        self.names = list(names)
        self.images: list[dict] = []
        self.annotations: list[dict] = []

    def add_image(self, path: Path) -> tuple[int, int]:
        """Adds an image; the objects that follow are its.

        Returns:
            Width and height in pixels, turned by its EXIF orientation as
            annotation tools and mmcv show it.

        Raises:
            DataError: it cannot be read.
        """
        # Not needed where annotation files are checked alone.
        from PIL import Image

        try:
            with Image.open(path) as image:
                width, height = shown_size(image)
        except OSError as error:
            raise DataError(f'{path} cannot be read: {error}') from error
        self.images.append(
            {
                'id': len(self.images) + 1,
                'file_name': path.relative_to(self.root).as_posix(),
                'width': width,
                'height': height,
            }
        )
        return width, height

    def add_object(
        self,
        label: int,
        polygons: Sequence[np.ndarray],
        masks: Sequence[np.ndarray] = (),
    ) -> None:
        """Adds an object of the last image, the union of its parts.

        Args:
            label: from 0.
            polygons: (P, 2) x and y in pixels.
            masks: bool (h, w) of the image.
        """
        from pycocotools import mask as coder

        image = self.images[-1]
        flat = [polygon.reshape(-1).tolist() for polygon in polygons]
        size = image['height'], image['width']
        parts = coder.frPyObjects(flat, *size) if flat else []
        parts += [coder.encode(np.asfortranarray(m, np.uint8)) for m in masks]
        rle = coder.merge(parts)
        text = {'size': rle['size'], 'counts': rle['counts'].decode()}
        self.annotations.append(
            {
                'id': len(self.annotations) + 1,
                'image_id': image['id'],
                'category_id': label + 1,
                'segmentation': text if masks else flat,
                'bbox': coder.toBbox(rle).tolist(),
                'area': int(coder.area(rle)),
                'iscrowd': 0,
            }
        )

    def data(self) -> dict:
        """All of it, as COCO has it."""
        categories = [
            {'id': number, 'name': name}
            for number, name in enumerate(self.names, 1)
        ]
        return {
            'images': self.images,
            'annotations': self.annotations,
            'categories': categories,
        }
