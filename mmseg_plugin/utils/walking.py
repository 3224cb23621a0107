"""Files of folders, behind links too."""

import os
from collections.abc import Iterator
from pathlib import Path


def files_in(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """All files of a folder and those below it, sorted by folder and name.

    Links to folders are followed, but for those to a folder that they lie
    in. What may not be read has nothing.

    Args:
        folder: where to begin.
        above: real paths of the folders around it.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir():
            yield from files_in(path, (*above, real))
        else:
            yield path
