"""Finds places for labels that do not cover each other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Spot(NamedTuple):
    """A rectangle in pixels."""

    x1: int
    y1: int
    x2: int
    y2: int

    def meets(self, other: 'Spot') -> bool:
        """Whether they have a pixel in common."""
        return (
            self.x1 < other.x2
            and other.x1 < self.x2
            and self.y1 < other.y2
            and other.y1 < self.y2
        )


def _candidates(box: Spot, width: int, height: int) -> Iterator[Spot]:
    """Places near a box, the best first."""
    lefts = (box.x1, box.x2 - width, (box.x1 + box.x2 - width) // 2)
    middle = (box.y1 + box.y2 - height) // 2
    for y in (box.y1 - height, box.y2, box.y1, box.y2 - height, middle):
        for x in lefts:
            yield Spot(x, y, x + width, y + height)
    for x in (box.x2, box.x1 - width):
        for y in (box.y1, middle):
            yield Spot(x, y, x + width, y + height)


def place_labels(
    boxes: Sequence[Spot],
    widths: Sequence[Sequence[int]],
    height: int,
    size: tuple[int, int],
) -> list[tuple[int, Spot] | None]:
    """A place for each label, the first boxes first.

    Args:
        boxes: of the objects.
        widths: of the texts that would do for each, the best first.
        height: of a label.
        size: height and width of the picture.

    Returns:
        Number of the text and its place; None where there is no room.
    """
    taken: list[Spot] = []
    found: list[tuple[int, Spot] | None] = []
    for box, texts in zip(boxes, widths, strict=True):
        place = None
        for number, width in enumerate(texts):
            for spot in _candidates(box, width, height):
                moved = _inside(spot, size)
                if moved and not any(moved.meets(other) for other in taken):
                    place = (number, moved)
                    taken.append(moved)
                    break
            if place:
                break
        found.append(place)
    return found


def _inside(spot: Spot, size: tuple[int, int]) -> Spot | None:
    """Moved into the picture; None if it is larger."""
    width, height = spot.x2 - spot.x1, spot.y2 - spot.y1
    if width > size[1] or height > size[0]:
        return None
    x = min(max(spot.x1, 0), size[1] - width)
    y = min(max(spot.y1, 0), size[0] - height)
    return Spot(x, y, x + width, y + height)
