"""Files that are whole or absent, whatever happens while they are written."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from .checkpoint import load_file

PART = '.part'
# What MMEngine's runner needs to resume.
_NEEDED = ('meta', 'state_dict', 'message_hub')


class Disk:
    """The calls that change a disk; tests put failing ones in their place."""

    write: Callable[[IO[bytes], bytes], object] = staticmethod(
        lambda file, data: file.write(data)
    )
    fsync: Callable[[int], None] = staticmethod(os.fsync)
    replace: Callable[[Path, Path], None] = staticmethod(os.replace)
    remove: Callable[[Path], None] = staticmethod(os.remove)


class _Stream:
    """What torch writes to; each piece goes through :class:`Disk`."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def write(self, data: Any) -> int:
        Disk.write(self.file, data)
        return len(data)

    def flush(self) -> None:
        self.file.flush()


def write_whole(path: Path, fill: Callable[[Any], object]) -> None:
    """Writes beside, onto the disk, then renames: ``path`` is never partial.

    Args:
        path: the file; what it held stays until the new one is whole.
        fill: writes all of it to the stream it is given.

    Raises:
        OSError: as the disk reports; ``path`` is then as it was.
    """
    part = path.with_name(path.name + PART)
    try:
        with part.open('wb') as file:
            fill(_Stream(file))
            file.flush()
            Disk.fsync(file.fileno())
        Disk.replace(part, path)
        _sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Puts the names in a folder onto the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        Disk.fsync(number)
    finally:
        os.close(number)


def write_checkpoint(checkpoint: dict, path: Path) -> None:
    """Saves with torch as :func:`write_whole` does."""
    write_whole(path, lambda stream: _save(checkpoint, stream))


def _save(checkpoint: dict, stream: Any) -> None:
    try:
        torch.save(checkpoint, stream)
    except RuntimeError as error:
        # torch reports what a stream raised as a failure of its own.
        reason = error.__cause__ or error.__context__
        if isinstance(reason, OSError):
            raise reason from None
        raise


def write_text(text: str, path: Path) -> None:
    """Writes a short text as :func:`write_whole` does."""
    write_whole(path, lambda stream: stream.write(text.encode()))


def problem_of(path: Path) -> str | None:
    """Why a run cannot resume from a file; None if it can.

    Reads all of it: each of its records has a checksum.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            return f'its record {damaged} is damaged'
        content = load_file(path, 'cpu')
    except FileNotFoundError:
        return 'it is gone'
    except zipfile.BadZipFile:
        return 'it is cut off, or no checkpoint'
    except Exception as error:
        return str(error)
    if not isinstance(content, dict) or any(k not in content for k in _NEEDED):
        return f'it holds no run: {", ".join(_NEEDED)} are needed'
    return None


def latest_whole(
    named: Path | None, others: list[Path]
) -> tuple[Path | None, list[str]]:
    """The file to resume from.

    Args:
        named: what ``last_checkpoint`` says.
        others: all files of the run.

    Returns:
        The first that is whole, newest first after ``named``; and one
        sentence for each that was passed over.
    """
    newest = sorted(
        (path for path in others if path.is_file()),
        key=lambda path: (path.stat().st_mtime_ns, path.name),
        reverse=True,
    )
    candidates = [named] if named else []
    skipped: list[str] = []
    for path in candidates + [path for path in newest if path != named]:
        problem = problem_of(path)
        if problem is None:
            return path, skipped
        skipped.append(f'{path} is skipped: {problem}')
    return None, skipped
