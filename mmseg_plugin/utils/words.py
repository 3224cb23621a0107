"""Numbers and times as people write them."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """``1 image``, ``2 images``; the plural ends in s, or es after s."""
    ending = 'es' if noun.endswith('s') else 's'
    return f'{number} {noun}{"" if number == 1 else ending}'


def duration(hours: float) -> str:
    """Hours, or minutes where they are less than one."""
    if hours < 1:
        return counted(max(1, round(60 * hours)), 'minute')
    return f'{hours:.2g} hours'


def some_of(names: Sequence[str], most: int = 10) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    tail = f' and {more} more' if more > 0 else ''
    return f'{", ".join(names[:most])}{tail}'
