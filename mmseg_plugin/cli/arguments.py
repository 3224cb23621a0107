"""The command line of a tool; a mistyped word is named with its nearest."""

import argparse
import difflib
from collections.abc import Iterable
from typing import Any, NoReturn


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean ...?)``, or nothing if no known word is like it."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' (did you mean {close[0]}?)' if close else ''


class ToolParser(argparse.ArgumentParser):
    """argparse's, which says what a mistyped option may have meant.

    An option is never guessed from its first letters: scripts would break
    when another option is added.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{'allow_abbrev': False, **kwargs})

    def options(self) -> set[str]:
        """Words that are options, as ``--size``."""
        return set(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        start, _, words = message.partition('unrecognized arguments: ')
        if words and not start:
            hints = [word + self._hint(word) for word in words.split()]
            message = f'unrecognized arguments: {" ".join(hints)}'
        super().error(message)

    def _hint(self, word: str) -> str:
        if not word.startswith('-'):
            return ''
        return nearest(word.partition('=')[0], self.options())
