"""Tells which images of an annotation file a path is."""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any


class ImageIndex:
    """Finds entries of ``images`` of a COCO file by path and size.

    An entry is the image whose path is ``folder / file_name``, links being
    followed or not. Where no entry is, and ``anywhere`` allows it, an entry
    matches whose ``file_name`` is the end of the path; of an absolute
    ``file_name`` as much is compared as two machines can have in common.
    Sizes must agree, and several entries are none.

    Args:
        images: entries with ``id`` and ``file_name``, as a rule with
            ``height`` and ``width``.
        folder: where the images lie, if that is known.
        anywhere: whether they may lie elsewhere too.
    """

    def __init__(
        self,
        images: Iterable[dict[str, Any]],
        folder: Path | None = None,
        anywhere: bool = True,
    ) -> None:
        self._folder = folder
        self._anywhere = anywhere
        self._images = list(images)
        self._by_name: dict[str, list[dict]] = {}
        for image in self._images:
            name = _parts(image['file_name'])[-1]
            self._by_name.setdefault(name, []).append(image)

    def find(
        self, path: Path, size: tuple[int, int] | None = None
    ) -> dict[str, Any] | None:
        """The entry of an image; None if there is none, or more than one.

        Args:
            path: of the image.
            size: its height and width; None does not compare sizes.
        """
        for found in self._candidates(path):
            fitting = [image for image in found if _has_size(image, size)]
            if fitting:
                ids = {str(image['id']) for image in fitting}
                return fitting[0] if len(ids) == 1 else None
            if found:
                return None
        return None

    def _candidates(self, path: Path) -> Iterable[Sequence[dict]]:
        """Entries that the path may be, the surest first."""
        whole, real = os.path.abspath(path), os.path.realpath(path)
        if self._folder is not None:
            yield self._as_written.get(whole, [])
            yield self._resolved.get(real, [])
        if self._anywhere:
            yield self._by_end(whole)
            yield self._by_end(real)

    def _by_end(self, path: str) -> list[dict]:
        place = _parts(path)
        ends, shared = [], []
        for image in self._by_name.get(place[-1], []):
            own = _parts(image['file_name'])
            if own == place[-len(own) :]:
                ends.append(image)
            elif _is_absolute(image['file_name']):
                shared.append((_common_end(own, place), image))
        most = max((count for count, _ in shared), default=0)
        return ends or [image for count, image in shared if count == most]

    @cached_property
    def _as_written(self) -> dict[str, list[dict]]:
        found: dict[str, list[dict]] = {}
        for image in self._images:
            for name in _spellings(image['file_name']):
                whole = os.path.abspath(os.path.join(self._folder or '', name))
                found.setdefault(whole, []).append(image)
        return found

    @cached_property
    def _resolved(self) -> dict[str, list[dict]]:
        found: dict[str, list[dict]] = {}
        folders: dict[str, str] = {}
        for whole, images in self._as_written.items():
            folder, name = os.path.split(whole)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            real = os.path.join(folders[folder], name)
            # One question a file; following every path asks many.
            if os.path.islink(real):
                real = os.path.realpath(real)
            found.setdefault(real, []).extend(images)
        return found


def _spellings(name: str) -> set[str]:
    """A file name as written, and with the slashes of this system."""
    return {name, name.replace('\\', '/')}


def _parts(name: str) -> tuple[str, ...]:
    plain = os.path.normpath(name.replace('\\', '/'))
    return PurePosixPath(plain).parts or ('',)


def _is_absolute(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or bool(
        PureWindowsPath(name).drive
    )


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    """Number of last parts that are equal."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _has_size(image: dict, size: tuple[int, int] | None) -> bool:
    if size is None:
        return True
    known = image.get('height'), image.get('width')
    return None in known or known == tuple(size)
