"""Downloads weights: resumed, checked, and whole or not there at all."""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
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
    except (HTTPException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.filename == str(part):
            raise
        raise UserError(
            f'{url} cannot be fetched ({_reason(error)}): try again, which '
            f'goes on where it stopped, or put that file at {path}'
        ) from None
    _tag(part).unlink(missing_ok=True)
    try:
        _check(part, checked, url)
        _check_format(part, path.suffix, url)
    except UserError:
        part.unlink()
        raise
    os.replace(part, path)


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        text = f'HTTP {error.code} {error.reason}'
    elif isinstance(error, URLError):
        text = str(error.reason)
    else:
        text = str(error) or type(error).__name__
    # Of several lines where a server redirects for ever.
    return ' '.join(text.split())


def _tag(part: Path) -> Path:
    """Holds what the server called the version that was begun."""
    return part.with_name(f'{part.name}.tag')


def _download(url: str, part: Path) -> None:
    """Goes on behind what ``part`` holds, if the file is still the same."""
    begun = part.stat().st_size if part.is_file() else 0
    tag = _tag(part).read_text().strip() if _tag(part).is_file() else ''
    if begun and tag and _receive(url, part, begun, tag):
        return
    _tag(part).unlink(missing_ok=True)
    if not _receive(url, part, 0, ''):
        raise HTTPException('a part came, the whole was asked for')


def _receive(url: str, part: Path, begun: int, tag: str) -> bool:
    """Writes one reply behind ``begun`` bytes, a whole file in their place.

    Returns:
        False: there is nothing behind them, or it is of another version.

    Raises:
        HTTPException: fewer bytes came than the server had announced.
    """
    headers = {'User-Agent': 'mmseg_plugin', 'Accept-Encoding': 'identity'}
    if begun:
        headers |= {'Range': f'bytes={begun}-', 'If-Range': tag}
    try:
        reply = urlopen(Request(url, headers=headers), timeout=_SECONDS)
    except HTTPError as error:
        if begun and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return False
        raise
    with reply:
        named = _version(reply.headers)
        if reply.status == HTTPStatus.PARTIAL_CONTENT:
            place = reply.headers.get('Content-Range', '')
            # Some servers know ranges and no If-Range.
            if named != tag or not place.startswith(f'bytes {begun}-'):
                return False
        else:
            begun = 0
            _tag(part).write_text(named)
        left = reply.headers.get('Content-Length')
        total = begun + int(left) if left else None
        with part.open('ab' if begun else 'wb') as file:
            while chunk := reply.read(_CHUNK):
                file.write(chunk)
                begun += len(chunk)
                _progress(part.stem, begun, total)
    if total is not None and begun != total:
        raise HTTPException(f'{begun} of {total} bytes came')
    return True


def _version(headers: Message) -> str:
    """What names the bytes of a reply; empty if nothing does."""
    named = headers.get('ETag') or headers.get('Last-Modified') or ''
    # A weak tag does not stand for bytes.
    return '' if named.startswith('W/') else named


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


def _check_format(path: Path, suffix: str, where: str) -> None:
    """Refuses what was cut off, or is a page about an error.

    Few publishers state hashes, and a server need not announce a length.
    """
    kinds = {'.json': _is_json, '.safetensors': _is_safetensors}
    try:
        whole = kinds.get(suffix, _is_checkpoint)(path)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(
            f'{where} gives something else than a whole {suffix} file, which '
            'is not kept: see what a browser shows'
        )


def _is_json(path: Path) -> bool:
    return isinstance(json.loads(path.read_bytes()), dict)


def _is_safetensors(path: Path) -> bool:
    with path.open('rb') as file:
        length = int.from_bytes(file.read(8), 'little')
        size = path.stat().st_size - 8 - length
        parts = json.loads(file.read(length)) if size > 0 else {}
    parts.pop('__metadata__', None)
    ends = [part['data_offsets'][1] for part in parts.values()]
    return max(ends, default=-1) == size


def _is_checkpoint(path: Path) -> bool:
    """A zip file, whose table is at its end, or a pickle."""
    with path.open('rb') as file:
        return file.read(1) == b'\x80' or zipfile.is_zipfile(file)
