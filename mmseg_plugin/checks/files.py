"""Image files: there, readable, and of the stated size."""

import os
from collections import Counter

import numpy as np

from .findings import Hits, Options, check, hits, listed
from .images import ImageFacts
from .snapshot import Snapshot

ALL = ('instances', 'panoptic')
IMAGES = (*ALL, 'semantic')
SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'}
USUAL_MODES = ('RGB', 'L')


@check(
    'files.missing',
    'error',
    'images that are listed are not there',
    'put the files back, or take their entries out (--fix does)',
    kinds=IMAGES,
    reads_images=True,
)
def missing(snapshot: Snapshot, options: Options) -> Hits:
    found = [fact.problem == 'missing' for fact in snapshot.facts]
    return hits(np.array(found, dtype=bool), snapshot.name_image)


@check(
    'files.unreadable',
    'error',
    'images cannot be decoded to their end',
    'write the files again, or take their entries out (--fix does)',
    kinds=IMAGES,
    reads_images=True,
)
def unreadable(snapshot: Snapshot, options: Options) -> Hits:
    found = [fact.problem not in ('', 'missing') for fact in snapshot.facts]
    return hits(np.array(found, dtype=bool), snapshot.name_image)


@check(
    'files.size',
    'error',
    'images have another size than stated: masks land elsewhere',
    'state the size of the file, and look whether the masks fit; by default '
    'mmcv turns images by their EXIF orientation',
    kinds=ALL,
    reads_images=True,
)
def size(snapshot: Snapshot, options: Options) -> Hits:
    found = []
    for fact, image in zip(snapshot.facts, snapshot.images, strict=True):
        width, height = fact.shown if options.turns else fact.size
        stated = image.get('width'), image.get('height')
        if not fact.problem and (width, height) != stated:
            found.append(
                f'{fact.path.name}: {width} x {height}, stated {stated[0]} x '
                f'{stated[1]}{_loading(fact, stated, options.turns)}'
            )
    return listed(found)


def _loading(fact: ImageFacts, stated: tuple, turns: bool) -> str:
    """What the stated size asks of the loader, where that would help."""
    if stated != (fact.size if turns else fact.shown):
        return ''
    flag = 'color_ignore_orientation' if turns else 'color'
    return f" (as read with color_type='{flag}')"


@check(
    'files.orientation',
    'warning',
    'EXIF turns these images: some readers do, some do not',
    'store them turned, without the tag',
    kinds=IMAGES,
    reads_images=True,
)
def orientation(snapshot: Snapshot, options: Options) -> Hits:
    found = [fact.orientation not in (0, 1) for fact in snapshot.facts]
    return hits(np.array(found, dtype=bool), snapshot.name_image)


@check(
    'files.mode',
    'warning',
    'images are neither 8-bit RGB nor grey: 16 bits, alpha, CMYK or palette',
    'convert them to RGB',
    kinds=IMAGES,
    reads_images=True,
)
def mode(snapshot: Snapshot, options: Options) -> Hits:
    found = [
        f'{fact.path.name}: {fact.mode}'
        for fact in snapshot.facts
        if not fact.problem and fact.mode not in USUAL_MODES
    ]
    return listed(found)


@check(
    'files.orphan',
    'note',
    'image files in the folder are not in the annotation file',
    'annotate them, or move them away',
    kinds=ALL,
    reads_images=True,
)
def orphan(snapshot: Snapshot, options: Options) -> Hits:
    folder = snapshot.image_dir
    if folder is None:
        return listed([])
    # Absolute names stay as they are.
    known = {folder / str(im.get('file_name')) for im in snapshot.images}
    # Other splits may lie in other folders below.
    looked = {path.parent for path in known} or {folder}
    found = [
        os.path.relpath(path, folder)
        for place in sorted(looked)
        if place.is_dir()
        for path in sorted(place.iterdir())
        if path.suffix.lower() in SUFFIXES and path not in known
    ]
    return listed(found)


@check(
    'files.name',
    'warning',
    'file names are absolute or have backslashes: found on one machine only',
    'write names relative to the folder of the images (--fix does)',
    kinds=ALL,
)
def name(snapshot: Snapshot, options: Options) -> Hits:
    names = [str(image.get('file_name')) for image in snapshot.images]
    found = [n.startswith('/') or '\\' in n or n[1:2] == ':' for n in names]
    return hits(np.array(found, dtype=bool), snapshot.name_image)


@check(
    'files.listed-twice',
    'warning',
    'the same file is listed as several images',
    'keep one entry and move the objects to it (--fix does)',
    kinds=ALL,
)
def listed_twice(snapshot: Snapshot, options: Options) -> Hits:
    counts = Counter(str(im.get('file_name')) for im in snapshot.images)
    return listed([name for name, count in counts.items() if count > 1])
