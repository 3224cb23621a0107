"""What every command-line tool shares: errors, progress, atomic writes."""

import contextlib
import linecache
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_TOLD_BY_WORKER = re.compile(
    r'^Caught \w+ in DataLoader worker.*File "(.+?)", line \d+, in [^\n]+\n'
    r'\s+([^\n]+)\n(?:[\s^~]+\n)?\w+: (.+?)\s*$',
    re.DOTALL,
)


class UserError(Exception):
    """Bad input; the message is one sentence naming the file or key."""


def run(main: Callable[[], None]) -> None:
    """Runs a tool's ``main``; a :class:`UserError` ends it with exit code 2.

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
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(f'error: {sentence}', file=sys.stderr)
        sys.exit(2)


def _sentence(error: Exception) -> str | None:
    """What an error says, if a ``raise`` of the package is its cause."""
    if isinstance(error, UserError):
        return str(error)
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    path = Path(frame.f_code.co_filename)
    code = linecache.getline(str(path), line).lstrip()
    text = str(error)
    # Torch passes on what a worker process says as the text of all of it.
    if told := _TOLD_BY_WORKER.search(text):
        path, code, text = Path(told[1]), told[2], told[3]
    said = path.is_relative_to(_PACKAGE) and code.startswith('raise ')
    return text if said else None


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
        try:
            os.replace(part, path)
        except OSError as error:
            raise UserError(
                f'{path} cannot be written: {error.strerror}'
            ) from error
