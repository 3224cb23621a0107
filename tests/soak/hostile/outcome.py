"""What a tool did with hostile input: a result, a sentence, or a fault."""

import contextlib
import io
import logging
import random
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from mmseg_plugin.cli.cli import run

SECONDS = 120
# What may stand in the place of a value of a file of data.
JUNK = (None, True, False, 0, -1, 1.5, 10**30, 1e308, float('nan'))
JUNK += (float('inf'), '', 'x', '\0', '\ud7ff', [], {}, [[]], [None], {'': 0})


# What the case at hand is made of.
made: Counter[str] = Counter()


def note(kind: str) -> None:
    """Counts a case of a kind."""
    made[kind] += 1


class Fault(Exception):
    """Neither a result nor a sentence with exit code 2."""


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    def end(*args: Any) -> None:
        raise Fault(f'no answer within {SECONDS} s')

    old = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


def outcome(
    main: Callable[[], Any],
    words: tuple = (),
    out: Path | None = None,
    codes: tuple[int, ...] = (0, 2),
) -> int:
    """Exit code of a tool that is run in this process.

    Args:
        main: of the tool; what it raises goes the way of every tool.
        words: its command line.
        out: what it writes; may only be there after code 0.
        codes: that are right for it.

    Raises:
        Fault: an exception that is no sentence, another code, no sentence
            with code 2, or something half-written.
    """
    said = io.StringIO()
    code: Any = 0
    with (
        _time_limit(),
        mock.patch.object(sys, 'argv', ['tool', *map(str, words)]),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter('ignore')
        try:
            run(main)
        except SystemExit as end:
            code = end.code or 0
        except Fault:
            raise
        except BaseException as error:
            last = ''.join(traceback.format_tb(error.__traceback__)[-3:])
            raise Fault(f'{type(error).__name__}: {error}\n{last}') from error
    if isinstance(code, bool):
        code = int(code)
    text = said.getvalue()
    if code not in codes:
        raise Fault(f'exit code {code!r}: {text[-500:]}')
    if 'Traceback' in text:
        raise Fault(f'a traceback: {text[-500:]}')
    if code == 2 and 'error: ' not in text:
        raise Fault(f'exit code 2 without a sentence: {text[-500:]}')
    if out is not None:
        left = [path.name for path in out.parent.glob(f'.{out.name}*')]
        if left or (code == 2 and out.exists()):
            raise Fault(f'half-written: {left or out}')
    return int(code)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a tree with each of its keys."""
    keys = node if isinstance(node, dict) else range(len(node))
    for key in list(keys):
        yield node, key
        if isinstance(node[key], dict | list) and node[key]:
            yield from places(node[key])


def damage(tree: Any, rng: random.Random) -> None:
    """Replaces, removes or repeats one thing in a tree of JSON."""
    node, key = rng.choice(list(places(tree)))
    kind = rng.choice(('junk', 'junk', 'remove', 'repeat'))
    note(f'{kind} in data')
    if kind == 'junk':
        value = rng.choice(JUNK)
        node[key] = type(value)(value) if isinstance(value, list) else value
    elif kind == 'remove':
        del node[key]
    elif isinstance(node, list):
        node.insert(key, node[key])


def damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    """Cut off, with other bytes in it, or nothing at all."""
    kind = rng.choice(('cut', 'change', 'change', 'empty', 'noise'))
    note(f'{kind} of bytes')
    if kind == 'cut':
        return content[: rng.randrange(len(content))]
    if kind == 'empty':
        return b''
    if kind == 'noise':
        return rng.randbytes(rng.randrange(1, 400))
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def quiet() -> None:
    """No logs, which would be most of what is printed."""
    logging.disable(logging.CRITICAL)
