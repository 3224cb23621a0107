"""Downloads weights: resumed, checked, and whole or not there at all."""

import contextlib
import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from mmseg_plugin.cli.cli import UserError

from .table import Weights, cache_folder

_CHUNK = 1 << 20
_SECONDS = 30


def fetch(weights: Weights) -> Path:
    """The file, or the folder of transformers, in the cache.

    What is there is checked by its hash; what is not is downloaded. The
    licence is printed when the weights are used for the first time.

    Raises:
        UserError: a file cannot be fetched, or is not the published one; the
            message says what to put where.
    """
    folder = cache_folder() / weights.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_process(folder):
            _show_licence(weights, folder)
            for name in weights.files:
                _ensure(weights, folder / name)
    except OSError as error:
        raise UserError(
            f'{error.filename or folder} cannot be written: '
            f'{error.strerror or error}'
        ) from None
    return folder if weights.layout == 'hf' else folder / weights.files[-1]


@contextlib.contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Others of this machine come after, and find the files."""
    with (folder / '.lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _show_licence(weights: Weights, folder: Path) -> None:
    shown = folder / 'licence.txt'
    text = f'licence of {weights.name}: {weights.licence} ({weights.page})'
    if shown.is_file() and shown.read_text() == text:
        return
    print(text, flush=True)
    shown.write_text(text)


def _ensure(weights: Weights, path: Path) -> None:
    checked = weights.hash if path.name == weights.files[-1] else ''
    if path.is_file():
        _check(path, checked, f'{path} (delete it to fetch it again)')
        return
    if weights.by_hand:
        raise UserError(
            f'{weights.name} can only be fetched with a browser: download '
            f'{weights.url} and put it at {path}'
        )
    url = weights.url
    if weights.layout == 'hf':
        url = f'{weights.url.rstrip("/")}/{path.name}'
    part = path.with_name(f'{path.name}.part')
    try:
        _download(url, part)
    except (HTTPException, OSError) as error:
        if isinstance(error, OSError) and error.filename == str(part):
            raise
        raise UserError(
            f'{url} cannot be fetched ({_reason(error)}): try again, which '
            f'goes on where it stopped, or put that file at {path}'
        ) from None
    try:
        _check(part, checked, url)
    except UserError:
        part.unlink()
        raise
    os.replace(part, path)
    _tag(part).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f'HTTP {error.code} {error.reason}'
    if isinstance(error, URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _tag(part: Path) -> Path:
    """Holds what the server called the version that was begun."""
    return part.with_name(f'{part.name}.tag')


def _download(url: str, part: Path) -> None:
    """Goes on behind what ``part`` holds, if the file is still the same."""
    begun = part.stat().st_size if part.is_file() else 0
    tag = _tag(part).read_text() if _tag(part).is_file() else ''
    headers = {'User-Agent': 'mmseg_plugin', 'Accept-Encoding': 'identity'}
    if begun and tag:
        headers |= {'Range': f'bytes={begun}-', 'If-Range': tag}
    with urlopen(Request(url, headers=headers), timeout=_SECONDS) as reply:
        resumed = reply.status == 206
        begun = begun if resumed else 0
        named = reply.headers.get('ETag') or reply.headers.get('Last-Modified')
        # A weak tag does not stand for bytes.
        if named and not named.startswith('W/'):
            _tag(part).write_text(named)
        left = reply.headers.get('Content-Length')
        total = begun + int(left) if left else None
        with part.open('ab' if resumed else 'wb') as file:
            while chunk := reply.read(_CHUNK):
                file.write(chunk)
                begun += len(chunk)
                _progress(part.stem, begun, total)
    if total is not None and begun != total:
        raise HTTPException(f'{begun} of {total} bytes came')


def _progress(name: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        of = f' of {total / 1e6:.0f}' if total else ''
        end = '\n' if done == total else ''
        print(f'\r{name}: {done / 1e6:.0f}{of} MB', end=end, file=sys.stderr)


def _check(path: Path, published: str, where: str) -> None:
    if not published:
        return
    kind, _, digits = published.partition(':')
    digest = hashlib.new(kind)
    with path.open('rb') as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    found = digest.hexdigest()
    if not found.startswith(digits):
        raise UserError(
            f'{where} is not the published file: its {kind} begins with '
            f'{found[: len(digits)]}, not with {digits}'
        )
