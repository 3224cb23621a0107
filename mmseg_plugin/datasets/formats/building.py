"""Puts COCO data together from polygons of other formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .layout import DataError


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
            Width and height in pixels.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with Image.open(path) as image:
                width, height = image.size
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

    def add_object(self, label: int, polygons: list[np.ndarray]) -> None:
        """Adds an object of the last image.

        Args:
            label: from 0.
            polygons: (P, 2) x and y in pixels, its parts.
        """
        from pycocotools import mask as coder

        image = self.images[-1]
        flat = [polygon.reshape(-1).tolist() for polygon in polygons]
        size = image['height'], image['width']
        rle = coder.merge(coder.frPyObjects(flat, *size))
        self.annotations.append(
            {
                'id': len(self.annotations) + 1,
                'image_id': image['id'],
                'category_id': label + 1,
                'segmentation': flat,
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
