"""COCO's panoptic files and maps: what is read from them, and refused."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import cv2
import mmcv
import numpy as np
from mmengine.fileio import get

from mmseg_plugin.datasets.annotation_files import of_listed_images
from mmseg_plugin.datasets.annotations import is_crowd
from mmseg_plugin.datasets.structure import is_number

# Ids are colours of 24 bits; 0 is void.
LAST_ID = (1 << 24) - 1
_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_KINDS = {0: 'grey', 2: 'RGB', 3: 'palette', 4: 'grey', 6: 'RGBA'}


@contextlib.contextmanager
def undecodable_named(path: str) -> Iterator[None]:
    """Names the file where a decoder of images fails, in its own ways.

    Args:
        path: of the image.

    Raises:
        ValueError: see above.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (cv2.error, OSError, SyntaxError) as error:
        raise ValueError(
            f'{path} is not an image that can be decoded: {error}'
        ) from error


def read_segment_ids(
    path: str,
    backend_args: dict | None = None,
    imdecode_backend: str | None = None,
) -> np.ndarray:
    """Reads a panoptic PNG, whose colours are segment ids.

    Ids stay where they are stored: as panopticapi and mmseg's label maps, no
    EXIF orientation turns them.

    Args:
        path: file, at any place that mmengine's file backends read.
        backend_args: see :func:`mmengine.fileio.get`.
        imdecode_backend: see :func:`mmcv.imfrombytes`.

    Returns:
        int32 (H, W), red + 256 * green + 65536 * blue.

    Raises:
        ValueError: the file is no image, or not one of 3 or 4 channels of 8
            bits: grey, palette and 16-bit images hold no such ids.
    """
    data = get(path, backend_args=backend_args)
    kind = None
    if data[:8] == _PNG and len(data) > 25:
        # Decoders expand palettes and grey: only the header tells.
        colours = _PNG_KINDS.get(data[25], 'unknown')
        if data[24] != 8 or colours not in ('RGB', 'RGBA'):
            kind = f'{colours} PNG of {data[24]} bits'
    with undecodable_named(path):
        image = mmcv.imfrombytes(
            data, 'color_ignore_orientation', backend=imdecode_backend
        )
    if image is None:
        raise ValueError(f'{path} is not an image that can be decoded')
    if kind is None and data[:8] != _PNG:
        raw = mmcv.imfrombytes(data, flag='unchanged')
        if raw is None or raw.dtype != np.uint8 or raw.ndim != 3:
            kind = 'image'
    if kind is not None:
        raise ValueError(
            f'{path} is a {kind}, not a panoptic map: write the ids as RGB of '
            '8 bits, id = red + 256 * green + 65536 * blue'
        )
    # The bytes red, green, blue, alpha are one little-endian number.
    rgba = cv2.cvtColor(image, cv2.COLOR_BGR2RGBA)
    return rgba.view('<i4')[..., 0] & 0xFFFFFF


def check_present(
    path: str, listed: Iterable[int], present: np.ndarray
) -> None:
    """Refuses a map that lacks listed segments.

    Args:
        path: of the map.
        listed: ids of the segments that have an area.
        present: ids of the map, int (n,).

    Raises:
        ValueError: see above.
    """
    lacking = np.setdiff1d(list(listed), present).tolist()
    if lacking:
        raise ValueError(
            f'{path} has no pixel of id {lacking[0]}, which its image lists'
            f'{_others(len(lacking) - 1)}: it is not the map of this image, '
            'or ids are not red + 256 * green + 65536 * blue'
        )


def _others(count: int) -> str:
    return f' (nor of {count} more)' if count else ''


def checked_segments(
    entry: Mapping, known: Iterable[int], source: object
) -> list[dict]:
    """The segments of one entry of ``annotations``.

    Args:
        entry: as the file has it.
        known: ids of the file's categories.
        source: the file.

    Raises:
        ValueError: the entry or a segment lacks something, an id is not
            within 1 and 2**24 - 1 or is there twice, a category is not one of
            the file's, ``iscrowd`` is neither 0 nor 1, or box or area are no
            numbers.
    """
    for key in ('image_id', 'segments_info'):
        if entry.get(key) is None:
            raise ValueError(
                f'{source} is not a panoptic file: an annotation has no {key}'
            )
    known = set(known)
    where = f'{source}: image {entry["image_id"]}'
    seen: set[int] = set()
    for segment in entry['segments_info']:
        lacks = {'id', 'category_id'} - segment.keys()
        if lacks:
            raise ValueError(f'{where} has a segment without {min(lacks)}')
        number = segment['id']
        if not isinstance(number, int) or not 0 < number <= LAST_ID:
            raise ValueError(
                f'{where} has a segment of id {number!r}: ids are within 1 '
                f'and {LAST_ID}, 0 is void'
            )
        if number in seen:
            raise ValueError(f'{where} has two segments of id {number}')
        if segment['category_id'] not in known:
            raise ValueError(
                f'{where}: segment {number} is of category '
                f'{segment["category_id"]}, which is not in categories'
            )
        is_crowd(segment, f'{where}: segment {number}')
        _check_numbers(segment, f'{where}: segment {number}')
        seen.add(number)
    return list(entry['segments_info'])


def _check_numbers(segment: Mapping, where: str) -> None:
    """Of box and area, of which there are too many for NumPy."""
    area, box = segment.get('area'), segment.get('bbox')
    if area is not None and not is_number(area):
        raise ValueError(f'{where}: its area {area!r} is not a number')
    if not box:
        return
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not all(map(is_number, box))
    ):
        raise ValueError(
            f'{where}: its bbox {box} is not x, y, width and height'
        )


def needs_map(segments: Sequence[Mapping]) -> bool:
    """Whether a segment lacks its box or area."""
    return any(
        not segment.get('bbox') or segment.get('area') is None
        for segment in segments
    )


def completed_segments(
    segments: Sequence[Mapping], ids: np.ndarray, path: str
) -> list[dict]:
    """Copies with ``bbox``, ``area`` and ``iscrowd``.

    Args:
        segments: see :func:`checked_segments`.
        ids: the image's map, (h, w).
        path: of the map.

    Raises:
        ValueError: a segment without box or area is not in the map.
    """
    whole = []
    for segment in segments:
        mask = ids == segment['id']
        if not mask.any() and segment.get('area') != 0:
            check_present(path, [segment['id']], np.zeros(0, int))
        box = cv2.boundingRect(mask.view(np.uint8))
        area = segment.get('area')
        whole.append(
            {
                **segment,
                'bbox': segment.get('bbox') or list(map(float, box)),
                'area': int(mask.sum()) if area is None else area,
                'iscrowd': int(is_crowd(segment, path)),
            }
        )
    return whole


def entries_by_image(content: Mapping, source: object) -> dict:
    """Id of each image to its entry of ``annotations``.

    Warns of entries whose image the file does not list.

    Args:
        content: of the panoptic file.
        source: the file.

    Raises:
        ValueError: an image has two entries.
    """
    known = {category['id'] for category in content.get('categories', ())}
    entries: dict = {}
    for entry in content.get('annotations', ()):
        segments = checked_segments(entry, known, source)
        if entry['image_id'] in entries:
            raise ValueError(
                f'{source}: image {entry["image_id"]} has two entries in '
                'annotations'
            )
        entries[entry['image_id']] = {**entry, 'segments_info': segments}
    if content.get('images'):
        of_listed_images(content, source)
    return entries
