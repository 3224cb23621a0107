"""What every command-line tool shares: errors, progress, atomic writes."""

import contextlib
import linecache
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


class UserError(Exception):
    """Bad input; the message is one sentence naming the file or key."""


def run(main: Callable[[], None]) -> None:
    """Runs a tool's ``main``; a :class:`UserError` ends it with exit code 1.

    So does a sentence of the package about data or config, wherever MMEngine
    was when it was said.

    Args:
        main: parses ``sys.argv`` and does the work.
    """
    # argparse shows it; a tool run by name finds its file's path there.
    path = Path(sys.argv[0])
    name = path.parent.name if path.stem == '__main__' else path.stem
    sys.argv[0] = f'python -m mmseg_plugin {name}'
    try:
        main()
    except (UserError, ValueError, FileNotFoundError) as error:
        if not isinstance(error, UserError) and not _is_sentence(error):
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(1)


def _is_sentence(error: Exception) -> bool:
    """Whether a ``raise`` of the package is where an error comes from."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    path = Path(frame.f_code.co_filename)
    return path.is_relative_to(_PACKAGE) and (
        linecache.getline(str(path), line).lstrip().startswith('raise ')
    )


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a temporary path that becomes ``path`` if the block succeeds.

    The block may create a file or a folder there. Nothing is left at
    ``path`` when the block raises; an existing file is replaced whole.

    Args:
        path: final place; its parent folders are made.

    Raises:
        UserError: nothing can be written there.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(
            prefix=f'.{path.name}.', dir=path.parent
        )
    except OSError as error:
        raise UserError(
            f'{path} cannot be written: {error.strerror}'
        ) from error
    with scratch as folder:
        part = Path(folder) / path.name
        yield part
        os.replace(part, path)
