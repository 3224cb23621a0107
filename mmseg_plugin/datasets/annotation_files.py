"""What whole COCO files have to say: images, categories, annotations."""

import logging
from collections.abc import Hashable, Iterable, Mapping

from mmengine.logging import print_log

from mmseg_plugin.datasets.annotations import completed, place


def image_sizes(content: dict, source: object) -> dict:
    """Id of each image to its height and width.

    Args:
        content: of the annotation file.
        source: the file.

    Raises:
        ValueError: an image has no id, no size or one that is no number of
            pixels, or an id is there twice.
    """
    sizes: dict = {}
    for image in content.get('images', ()):
        where = f'{source}: image {image.get("file_name", image)}'
        lacks = {'id', 'height', 'width'} - image.keys()
        if lacks:
            raise ValueError(f'{where} has no {min(lacks)}')
        for key in ('height', 'width'):
            side = image[key]
            if not isinstance(side, int | float) or side < 1 or side % 1:
                raise ValueError(
                    f'{where} has {key} {side!r}: write the number of pixels'
                )
        if image['id'] in sizes:
            raise ValueError(f'{source}: two images have id {image["id"]}')
        sizes[image['id']] = (image['height'], image['width'])
    return sizes


def of_listed_images(content: Mapping, source: object) -> list[dict]:
    """Annotations, or panoptic entries, whose image the file lists.

    Warns where there are others.

    Args:
        content: of the annotation file.
        source: the file.
    """
    images = {image.get('id') for image in content.get('images', ())}
    kept: list[dict] = []
    lost: list[dict] = []
    for annotation in content.get('annotations', ()):
        image = annotation.get('image_id')
        known = isinstance(image, Hashable) and image in images
        (kept if known else lost).append(annotation)
    if lost:
        print_log(
            f'{place(source, lost[0])} is left out, as no image has this id'
            f' ({len(lost)} of {len(lost) + len(kept)} annotations)',
            'current',
            logging.WARNING,
        )
    return kept


def listed_annotations(content: dict, source: object) -> list[dict]:
    """Annotations of an instance file; see :func:`of_listed_images`.

    Args:
        content: of the annotation file.
        source: the file.

    Raises:
        ValueError: an annotation is of no category of the file.
    """
    categories = [c.get('id') for c in content.get('categories', ())]
    kept = of_listed_images(content, source)
    for annotation in kept:
        category = annotation.get('category_id')
        # Files without categories are of those who take none of them.
        if categories and category not in categories:
            raise ValueError(
                f'{place(source, annotation)} is of category {category!r}, '
                'which is not in categories: list it there, or take the '
                'annotation out'
            )
    return kept


def completed_truth(content: dict, source: object) -> dict:
    """A copy of an instance file that pycocotools judges rightly.

    Annotations are numbered from 1 (pycocotools loses number 0 and those
    that are there twice) and completed; ``file_id`` keeps the file's number.

    Args:
        content: of the annotation file.
        source: the file.

    Raises:
        ValueError: see the functions above.
    """
    sizes = image_sizes(content, source)
    annotations: list[dict] = []
    for annotation in listed_annotations(content, source):
        size = sizes[annotation['image_id']]
        whole = completed(annotation, size, place(source, annotation))
        whole['file_id'] = annotation.get('id')
        annotations.append({**whole, 'id': len(annotations) + 1})
    return {**content, 'annotations': annotations}


def category_ids(
    content: dict, source: object, extra: Iterable[str] = ()
) -> dict[str, int]:
    """Name of each category to its id.

    Args:
        content: of the annotation file.
        source: the file.
        extra: names that get ids which the file does not use, unless it has
            them.

    Raises:
        ValueError: two categories have one name or one id, or a name is no
            text.
    """
    ids: dict[str, int] = {}
    for category in content.get('categories', ()):
        name, number = category.get('name'), category.get('id')
        if name is None or number is None:
            raise ValueError(f'{source}: category {category} lacks id or name')
        if not isinstance(name, str):
            raise ValueError(
                f'{source}: category {number} is named {name!r}, which is no '
                'text: write it in quotes'
            )
        if name in ids:
            raise ValueError(
                f'{source}: two categories are named {name!r} (ids '
                f'{ids[name]} and {number}); rename or merge them'
            )
        if number in ids.values():
            raise ValueError(f'{source}: two categories have id {number}')
        ids[name] = number
    unused = max((i for i in ids.values() if isinstance(i, int)), default=0)
    for name in extra:
        if name not in ids:
            unused += 1
            ids[name] = unused
    return ids
