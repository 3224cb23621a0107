"""Whether a file is COCO's at all, and names nothing outside its data."""

import contextlib
import json
import math
import os.path as osp
from collections.abc import Iterable, Iterator
from typing import Any

_NOTHING = type(None)
# bool is no number here; what is missing is the business of its readers.
_NUMBER = (int, float, _NOTHING)
_ID = (int, str, float, _NOTHING)
_TEXT = (str, _NOTHING)
_TYPES: dict[str, dict[str, tuple[type, ...]]] = {
    'images': {
        'id': _ID,
        'file_name': _TEXT,
        'height': _NUMBER,
        'width': _NUMBER,
    },
    'annotations': {
        'id': _ID,
        'image_id': _ID,
        'category_id': _ID,
        'file_name': _TEXT,
        'bbox': (list, tuple, _NOTHING),
        'area': _NUMBER,
        'segmentation': (list, tuple, dict, _NOTHING),
        'segments_info': (list, tuple, _NOTHING),
    },
    'categories': {
        'id': _ID,
        'name': (str, int, _NOTHING),
        'isthing': (bool, *_NUMBER),
    },
}
_SEGMENTS = {
    'id': _ID,
    'category_id': _ID,
    'bbox': (list, tuple, _NOTHING),
    'area': _NUMBER,
}
_RLE = {
    'size': (list, tuple, _NOTHING),
    'counts': (list, str, bytes, _NOTHING),
}
_MOST = 1 << 63
_LONGEST_NAME = 255
_SIDES = ('height', 'width')


def read_json(path: str, backend_args: dict | None = None) -> Any:
    """Content of an annotation file.

    Args:
        path: at any place that mmengine's file backends read.
        backend_args: see :func:`mmengine.fileio.get`.

    Raises:
        ValueError: it is no JSON, or :func:`check_structure` refuses it.
    """
    # Checks of files on this machine do without mmengine.
    from mmengine.fileio import get_text

    with no_json_as_sentence(path):
        text = get_text(path, 'utf-8-sig', backend_args=backend_args)
        content = json.loads(text)
    check_structure(content, path)
    return content


@contextlib.contextmanager
def no_json_as_sentence(source: object) -> Iterator[None]:
    """Names the file where its text is no JSON.

    Args:
        source: the file.
    """
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f'{source} is not JSON: {error}') from error


def check_structure(content: Any, source: object, named: bool = False) -> None:
    """Refuses what cannot be read as COCO, before anything is made of it.

    Keys may be missing; what they hold must be of the right kind.

    Args:
        content: of the file.
        source: the file.
        named: every image needs a ``file_name``.

    Raises:
        ValueError: naming the place and what stands there.
    """
    if not isinstance(content, dict):
        raise ValueError(
            f'{source} holds {short(content)}, not an object with images, '
            'annotations and categories'
        )
    for part, types in _TYPES.items():
        rows = content.get(part, [])
        _check_rows(rows, types, f'{source}: {part}')
        if part != 'categories':
            must = named and part == 'images'
            _check_names(rows, f'{source}: {part}', must)
        if part == 'images':
            for side in _SIDES:
                _check_sides(rows, side, f'{source}: images')
        if part == 'annotations':
            _check_inner(rows, f'{source}: annotations')


def _check_inner(rows: list[dict], where: str) -> None:
    """Segments and RLEs of annotations."""
    for number, row in enumerate(rows):
        if segments := row.get('segments_info'):
            place = f'{where}[{number}].segments_info'
            _check_rows(segments, _SEGMENTS, place)
        shape = row.get('segmentation')
        if isinstance(shape, dict):
            place = f'{where}[{number}].segmentation'
            for key, kinds in _RLE.items():
                if type(shape.get(key)) not in kinds:
                    raise ValueError(f'{place}.{key} is {short(shape[key])}')
            size = shape.get('size')
            if size and not set(map(type, size)) <= {int, float}:
                raise ValueError(f'{place}.size is {short(size)}')


def _check_rows(
    rows: Any, types: dict[str, tuple[type, ...]], where: str
) -> None:
    if not isinstance(rows, list | tuple):
        raise ValueError(f'{where} is {short(rows)}, not a list')
    if not set(map(type, rows)) <= {dict}:
        number = next(i for i, r in enumerate(rows) if type(r) is not dict)
        raise ValueError(
            f'{where}[{number}] is {short(rows[number])}, not an object'
        )
    for key, kinds in types.items():
        # Types of all rows at once: files have millions of them.
        values = [row.get(key) for row in rows]
        found = set(map(type, values))
        if found <= set(kinds) and int not in found:
            continue
        for number, value in enumerate(values):
            large = type(value) is int and not -_MOST < value < _MOST
            if type(value) not in kinds or large:
                raise ValueError(f'{where}[{number}].{key} is {short(value)}')


def _check_names(rows: list[dict], where: str, must: bool) -> None:
    """Names that no file can have; where they must, all have one."""
    for number, row in enumerate(rows):
        name = row.get('file_name')
        if name is None:
            if must:
                raise ValueError(f'{where}[{number}] has no file_name')
            continue
        # Of each folder and the file, on all usual disks.
        longest = max(map(len, name.encode(errors='replace').split(b'/')))
        if not name or '\0' in name or longest > _LONGEST_NAME:
            raise ValueError(f'{where}[{number}].file_name is {short(name)}')


def _check_sides(rows: list[dict], side: str, where: str) -> None:
    for number, row in enumerate(rows):
        value = row.get(side)
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f'{where}[{number}].{side} is {value}')


def check_inside(
    paths: Iterable[str], folders: Iterable[object], source: object
) -> None:
    """Refuses files that an annotation file names outside its data.

    What counts is the text of a path: links may lead anywhere.

    Args:
        paths: whole paths of images or maps.
        folders: where they may be, with all below. Without any there is
            nothing to leave.
        source: the annotation file.

    Raises:
        ValueError: naming the first that is elsewhere.
    """
    named = [str(folder) for folder in folders if folder]
    if not named:
        return
    texts = tuple(osp.join(folder, '') for folder in named)
    roots = tuple(osp.join(osp.abspath(folder), '') for folder in named)
    for path in paths:
        if '..' not in path and path.startswith(texts):
            continue
        if not osp.abspath(path).startswith(roots):
            raise ValueError(
                f'{source}: {path} lies outside {named[0]}, where its files '
                'have to be: move or link it there'
            )


def is_number(value: object) -> bool:
    """Whether it is a number that is finite.

    Args:
        value: of a file.
    """
    return isinstance(value, int | float) and math.isfinite(value)


def short(value: Any) -> str:
    """A value in a sentence.

    Args:
        value: of a file.
    """
    text = repr(value)
    return text if len(text) < 40 else f'{text[:36]} ...'
