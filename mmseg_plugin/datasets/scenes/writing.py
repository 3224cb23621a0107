"""Writes scenes as a COCO instance, COCO panoptic and semantic data set."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as mask_utils
from tqdm import tqdm

from .categories import STUFF, THINGS, UNLABELLED, coco_categories
from .layout import Layout, SceneOptions, sample_layout
from .rendering import render


def make_scene(
    options: SceneOptions, seed: int, split: str, index: int
) -> tuple[np.ndarray, Layout]:
    """Makes one scene; it depends on the arguments alone.

    Args:
        options: how to lay it out.
        seed: seed of the data set, not negative.
        split: name of the split.
        index: place of the image within its split.

    Returns:
        The image, uint8 (H, W, 3), BGR, and its layout.
    """
    rng = np.random.default_rng([seed, index, *split.encode()])
    layout = sample_layout(rng, options)
    return render(rng, layout), layout


def write_scenes(
    folder: Path, counts: dict[str, int], seed: int, options: SceneOptions
) -> None:
    """Writes a data set with a progress bar.

    Under ``folder`` come ``<split>/*.jpg`` and, in ``annotations/``,
    ``instances_<split>.json``, ``panoptic_<split>.json``,
    ``panoptic_<split>/*.png`` and ``semantic_<split>/*.png``. Masks hold
    the visible pixels. Semantic labels are indices into
    ``THINGS + STUFF``, 255 where unlabelled.

    Args:
        folder: where to write; made if missing.
        counts: number of images by name of the split.
        seed: not negative; image k of a split doesn't depend on counts.
        options: how to lay the scenes out.
    """
    for split, count in counts.items():
        writer = _SplitWriter(folder, split)
        for i in tqdm(
            range(count), desc=f'{split} scenes', unit='image', disable=None
        ):
            writer.add(*make_scene(options, seed, split, i))
        writer.close()


@dataclass
class _SplitWriter:
    folder: Path
    split: str
    images: list[dict] = field(default_factory=list)
    instances: list[dict] = field(default_factory=list)
    panoptic: list[dict] = field(default_factory=list)

    def __post_init__(self) -> None:
        annotations = self.folder / 'annotations'
        self.image_dir = self.folder / self.split
        self.panoptic_dir = annotations / f'panoptic_{self.split}'
        self.semantic_dir = annotations / f'semantic_{self.split}'
        for path in (self.image_dir, self.panoptic_dir, self.semantic_dir):
            path.mkdir(parents=True)

    def add(self, image: np.ndarray, layout: Layout) -> None:
        image_id = len(self.images) + 1
        name = f'{image_id:06d}'
        height, width = image.shape[:2]
        self.images.append(
            {
                'id': image_id,
                'file_name': f'{name}.jpg',
                'height': height,
                'width': width,
            }
        )
        segments = _thing_segments(layout)
        for segment in segments:
            self.instances.append(
                dict(segment, id=len(self.instances) + 1, image_id=image_id)
            )
            del segment['segmentation']
        semantic, segment_ids = _label_maps(layout)
        segments += _stuff_segments(layout, segment_ids)
        self.panoptic.append(
            {
                'image_id': image_id,
                'file_name': f'{name}.png',
                'segments_info': segments,
            }
        )
        _write_image(
            self.image_dir / f'{name}.jpg',
            image,
            [cv2.IMWRITE_JPEG_QUALITY, 95],
        )
        _write_image(self.semantic_dir / f'{name}.png', semantic)
        _write_image(
            self.panoptic_dir / f'{name}.png', _id_to_bgr(segment_ids)
        )

    def close(self) -> None:
        categories = coco_categories()
        files = {
            'instances': (self.instances, categories[: len(THINGS)]),
            'panoptic': (self.panoptic, categories),
        }
        for kind, (annotations, classes) in files.items():
            path = self.folder / 'annotations' / f'{kind}_{self.split}.json'
            content = {
                'images': self.images,
                'annotations': annotations,
                'categories': classes,
            }
            path.write_text(json.dumps(content))


def _thing_segments(layout: Layout) -> list[dict]:
    """Annotations of all instances; ids are those of the instance map."""
    segments = []
    for i, thing in enumerate(layout.things):
        mask = layout.instance_map == i + 1
        rle = mask_utils.encode(np.asfortranarray(mask, np.uint8))
        segments.append(
            {
                'id': i + 1,
                'category_id': thing.label + 1,
                'bbox': mask_utils.toBbox(rle).tolist(),
                'area': int(mask_utils.area(rle)),
                'iscrowd': 0,
                'segmentation': {
                    'size': rle['size'],
                    'counts': rle['counts'].decode(),
                },
            }
        )
    return segments


def _label_maps(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Gives the semantic map and the map of panoptic segment ids.

    Ids of stuff follow those of the instances; unlabelled pixels have 0.
    """
    labels = np.array([0] + [t.label for t in layout.things], np.uint8)
    is_thing = layout.instance_map > 0
    is_stuff = ~is_thing & (layout.stuff_map != UNLABELLED)
    semantic = np.full(is_thing.shape, UNLABELLED, np.uint8)
    semantic[is_thing] = labels[layout.instance_map[is_thing]]
    semantic[is_stuff] = layout.stuff_map[is_stuff] + len(THINGS)
    segment_ids = layout.instance_map.copy()
    segment_ids[is_stuff] = (
        len(layout.things) + 1 + layout.stuff_map[is_stuff].astype(np.int32)
    )
    return semantic, segment_ids


def _stuff_segments(layout: Layout, segment_ids: np.ndarray) -> list[dict]:
    """One segment for each stuff class that is visible."""
    segments = []
    for i in range(len(STUFF)):
        segment_id = len(layout.things) + 1 + i
        mask = (segment_ids == segment_id).astype(np.uint8)
        if not mask.any():
            continue
        segments.append(
            {
                'id': segment_id,
                'category_id': len(THINGS) + 1 + i,
                'bbox': list(cv2.boundingRect(mask)),
                'area': int(mask.sum()),
                'iscrowd': 0,
            }
        )
    return segments


def _id_to_bgr(segment_ids: np.ndarray) -> np.ndarray:
    """COCO's coding: id = R + 256 G + 65536 B."""
    return np.stack(
        [segment_ids >> 16, segment_ids >> 8 & 255, segment_ids & 255], -1
    ).astype(np.uint8)


def _write_image(
    path: Path, image: np.ndarray, options: list[int] | None = None
) -> None:
    if not cv2.imwrite(str(path), image, options or []):
        raise OSError(f'cannot write {path}')
