"""What readers of data share: splits, and what was found."""

from __future__ import annotations

import datetime
import gc
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmseg_plugin.datasets.structure import short
from mmseg_plugin.utils.walking import files_in

IMAGES = {'.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp'}
# Words that name a split in files and folders.
WORDS = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation'),
    'test': ('test', 'testing'),
}
# What a key of a file may hold, in words.
TEXT = 'a text'
LIST = 'a list'
NAME = 'a text or a number'
NAMES = 'a list, or numbers with names'
PATHS = 'a path or a list of paths'
_TYPES: dict[str, tuple[type, ...]] = {
    TEXT: (str,),
    LIST: (list,),
    NAME: (str, int, float),
    NAMES: (list, dict),
    # YAML takes a folder called 2017-01-01 for a date.
    PATHS: (str, int, float, datetime.date, list),
}


class DataError(ValueError):
    """Data that cannot be used; the message names the file and the fix."""


@dataclass(frozen=True)
class Split:
    """One part of the data.

    Attributes:
        ann_file: JSON of COCO; None: label maps only.
        image_dir: what file names are relative to.
        seg_dir: of label maps.
        names: a list of the images, where the folder has others too.
        data: the annotation file, where it has been read already.
    """

    ann_file: Path | None
    image_dir: Path
    seg_dir: Path | None = None
    names: Path | None = None
    data: dict | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class DataFound:
    """What a path holds.

    Attributes:
        root: the folder.
        format: in words, as the tools print it.
        kind: ``'instances'``, ``'panoptic'`` or ``'semantic'``.
        splits: ``'train'``, ``'val'``, ``'test'`` to their files.
        convert: name of the reader, where it is not COCO's yet.
        classes: names by number, where no annotation file has them.
        ignored: annotation files that were not taken.
        settings: YOLO's file of settings.
    """

    root: Path
    format: str
    kind: str
    splits: dict[str, Split] = field(default_factory=dict)
    convert: str | None = None
    classes: tuple[str, ...] | None = None
    ignored: tuple[Path, ...] = ()
    settings: Path | None = None

    def map_folder(self, split: str) -> Path | None:
        """Label maps of a split, or of what one is made from."""
        given = self.splits.get(split) or self.splits.get('train')
        return given.seg_dir if given else None

    def sentence(self) -> str:
        """What was found, for the user."""
        said = f'{self.root}: {self.format}, {self.kind}'
        if self.splits:
            said += f'; {", ".join(self.splits)}'
        if self.ignored:
            rest = ', '.join(path.name for path in self.ignored)
            said += f' (not read: {rest})'
        return said


def split_of(name: str) -> str | None:
    """The split that a file's or folder's name says, if it does."""
    words = name.lower().replace('-', '_').replace('.', '_').split('_')
    plain = [word.rstrip('0123456789') for word in words]
    for split, names in WORDS.items():
        if any(word in names for word in plain):
            return split
    return None


def ordered(splits: dict[str, Split]) -> dict[str, Split]:
    """In the order train, val, test."""
    return {name: splits[name] for name in WORDS if name in splits}


def read_json(path: Path) -> dict:
    """A JSON object.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    # Millions of new objects, and no garbage among them.
    collects = gc.isenabled()
    gc.disable()
    try:
        # Not of bytes: those and the text would be in memory together.
        data = json.loads(path.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read as JSON: {error}') from error
    finally:
        if collects:
            gc.enable()
    if not isinstance(data, dict):
        raise DataError(f'{path} holds a {type(data).__name__}, not COCO data')
    return data


def checked(value: Any, kind: str, where: str) -> Any:
    """What stands in a file, if it is of the right type.

    Args:
        value: of JSON or YAML.
        kind: one of the words above.
        where: file and key.

    Raises:
        DataError: it is of another type; null is one too.
    """
    if type(value) not in _TYPES[kind]:
        raise DataError(f'{where} is {short(value)}, not {kind}')
    return value


def first_byte(path: Path) -> bytes:
    """What a JSON file begins with; ``b''`` if it is empty."""
    with path.open('rb') as file:
        return file.read(64).lstrip(b'\xef\xbb\xbf \t\r\n')[:1]


def below(path: Path, root: Path) -> Path:
    """A path relative to a folder that holds it, or a link to it.

    Raises:
        DataError: the folder does not.
    """
    for one, whole in (
        (Path(os.path.abspath(path)), Path(os.path.abspath(root))),
        (path.resolve(), root.resolve()),
    ):
        if one.is_relative_to(whole):
            return one.relative_to(whole)
    raise DataError(
        f'{path} is not below {root}: give the folder that holds both, or '
        'put a link there'
    )


def images_in(folder: Path) -> Iterator[Path]:
    """Image files of a folder and those below it, sorted."""
    for path in files_in(folder):
        if path.suffix.lower() in IMAGES:
            yield path
