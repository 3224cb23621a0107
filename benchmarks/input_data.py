"""Images and annotations of COCO's sizes, for the input pipeline."""

from pathlib import Path
from tempfile import mkdtemp

import cv2
import numpy as np

HEIGHT, WIDTH = 480, 640


def photo(rng: np.random.Generator) -> np.ndarray:
    """An image with about the detail of a photograph, uint8 (H, W, 3)."""
    image: np.ndarray = np.full((HEIGHT, WIDTH, 3), 128, np.float32)
    for side, strength in ((4, 50), (16, 30), (64, 15), (256, 6)):
        noise = rng.normal(128, strength, (side, side, 3)).astype(np.float32)
        image = image + cv2.resize(noise, (WIDTH, HEIGHT)) - 128
    return np.clip(image, 0, 255).astype(np.uint8)


def outline(
    rng: np.random.Generator, radius: float, corners: int = 24
) -> np.ndarray:
    """A polygon around a random centre, (corners, 2), within the image."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = radius * rng.uniform(0.6, 1, corners)
    centre = rng.uniform(0, (WIDTH, HEIGHT))
    points = np.stack((np.cos(angles), np.sin(angles)), 1) * reach[:, None]
    return np.clip(points + centre, 0, (WIDTH, HEIGHT)).round(2)


def instance_infos(images: int, objects: int) -> list[dict]:
    """Entries as mmdet's data sets give them, with polygons.

    Args:
        images: how many.
        objects: of each; smaller where there are more of them.
    """
    rng = np.random.default_rng(0)
    folder = Path(mkdtemp())
    infos = []
    for number in range(images):
        path = folder / f'{number}.jpg'
        cv2.imwrite(str(path), photo(rng), [cv2.IMWRITE_JPEG_QUALITY, 90])
        instances = []
        for _ in range(objects):
            radius = rng.uniform(0.3, 1.7) * 200 / objects**0.5
            points = outline(rng, radius)
            instances.append(
                {
                    'bbox': [*points.min(0), *points.max(0)],
                    'bbox_label': int(rng.integers(80)),
                    'ignore_flag': 0,
                    'mask': [points.reshape(-1).tolist()],
                }
            )
        infos.append(
            {
                'img_path': str(path),
                'img_id': number,
                'height': HEIGHT,
                'width': WIDTH,
                'instances': instances,
            }
        )
    return infos


def panoptic_infos(images: int, objects: int) -> list[dict]:
    """Entries of panoptic images: as many things, five kinds of stuff."""
    infos = instance_infos(images, objects)
    for info in infos:
        ids = np.zeros((HEIGHT, WIDTH), np.int32)
        ids[:] = 900 + np.arange(HEIGHT)[:, None] * 5 // HEIGHT
        things = []
        for place, instance in enumerate(info['instances']):
            points = np.reshape(instance['mask'][0], (-1, 2)).astype(np.int32)
            cv2.fillPoly(ids, [points], 1000 * (place + 1))
        segments = [
            {
                'id': number,
                'category': number - 820 if number < 1000 else 7,
                'is_thing': number >= 1000,
            }
            for number in np.unique(ids).tolist()
        ]
        for segment in filter(lambda s: s['is_thing'], segments):
            y, x = np.nonzero(ids == segment['id'])
            box = x.min(), y.min(), x.max() + 1, y.max() + 1
            things.append(
                {
                    'bbox': [float(side) for side in box],
                    'bbox_label': segment['category'],
                    'ignore_flag': 0,
                }
            )
        path = info['img_path'].replace('.jpg', '.png')
        colours = np.stack((ids >> 16, ids >> 8, ids), 2) & 255
        cv2.imwrite(path, colours.astype(np.uint8))
        info.update(
            seg_map_path=path, segments_info=segments, instances=things
        )
    return infos
